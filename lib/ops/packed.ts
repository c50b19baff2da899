// Weights in the order in which kernels read them: made when first needed, kept beside the weight until it is written to
// or freed.
import { withModes } from '../context.js';
import { keep } from '../memory.js';
import { sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';

interface Packed {
  readonly tensor: Tensor;
  readonly version: number;
  // What was packed: a window of the storage, and how.
  readonly weight: Pick<Tensor, 'offset' | 'shape' | 'strides' | 'dtype'>;
  readonly kind: string;
}

const isOf = ({ weight: w, kind }: Packed, weight: Tensor, wanted: string) =>
  kind === wanted &&
  w.offset === weight.offset &&
  sameShape(w.shape, weight.shape) &&
  sameShape(w.strides, weight.strides);

/** All packed forms of one storage, freed with it. */
class PackedForms {
  private readonly forms: Packed[] = [];

  of(weight: Tensor, kind: string, make: (weight: Tensor) => Tensor): Tensor {
    const { version } = weight.storage;
    const i = this.forms.findIndex((form) => isOf(form, weight, kind));
    if (i >= 0 && this.forms[i].version === version) return this.forms[i].tensor;
    const tensor = keep(withModes({ grad: false, scope: null }, () => make(weight)));
    const { offset, shape, strides, dtype } = weight;
    const form = { tensor, version, weight: { offset, shape, strides, dtype }, kind };
    if (i < 0) {
      this.forms.push(form);
    } else {
      this.forms[i].tensor.dispose();
      this.forms[i] = form;
    }
    return tensor;
  }

  dispose(): void {
    for (const { tensor } of this.forms) tensor.dispose();
    this.forms.length = 0;
  }
}

/** Whether a weight is worth packing: it is alive, and the kernels of its device do not read weights where they lie. */
export const isPackable = ({ disposed, storage }: Tensor) => !disposed && storage.device === 0;

/**
 * The packed form of a weight that is alive. It is made anew when the weight has been written to since; the result
 * belongs to the weight's memory: nobody else disposes of it. `kind` says what else it depends on.
 */
export function packedOf(weight: Tensor, kind: string, make: (weight: Tensor) => Tensor): Tensor {
  const { storage } = weight;
  storage.derived ??= new PackedForms();
  return (storage.derived as PackedForms).of(weight, kind, make);
}
