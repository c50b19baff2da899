import { fail, show } from '../errors.js';
import { indexSelect } from '../ops/indexing.js';
import { Tensor } from '../tensor.js';
import type { Dataset } from './dataset.js';

/**
 * Samples that lie in tensors: sample i is row i (along axis 0) of each of them, such as images `[N, 1, 28, 28]` and
 * labels `[N]`. The tensors are not copied.
 *
 * @throws AthanorError when there is no tensor, one is a scalar, or they differ in their first size
 */
export class TensorDataset implements Dataset {
  readonly tensors: readonly Tensor[];
  readonly size: number;

  constructor(...tensors: Tensor[]) {
    if (tensors.length === 0) fail('TensorDataset', 'at least one tensor is needed', 'none');
    for (const t of tensors) if (!(t instanceof Tensor)) fail('TensorDataset', 'only tensors hold samples', show(t));
    for (const t of tensors) {
      if (t.ndim === 0) fail('TensorDataset', 'a scalar has no samples', t.describe());
      if (t.shape[0] !== tensors[0].shape[0]) {
        const given = tensors.map((each) => each.describe()).join(' and ');
        fail('TensorDataset', 'all tensors need the same first size', given);
      }
    }
    this.tensors = tensors;
    this.size = tensors[0].shape[0];
  }

  batch(indices: Int32Array): Tensor[] {
    return this.tensors.map((t) => indexSelect(t, 0, indices));
  }
}
