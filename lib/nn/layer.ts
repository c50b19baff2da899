// What the constructors of layers with parameters have in common.
import { withModes } from '../context.js';
import { onDevice } from '../device.js';
import type { DType } from '../dtype.js';
import { filled } from '../ops/filled.js';
import type { Generator } from '../random.js';
import type { Shape } from '../shape.js';
import { checkFloat } from './check.js';
import { adopt, Buffer, Parameter } from './parameter.js';

/** Options that every layer with parameters takes. */
export interface LayerOptions {
  /** Dtype of the parameters: "float32" (default) or "float64". */
  readonly dtype?: DType;
  /** Default "cpu". */
  readonly device?: string;
  /** Where the initial values are drawn from; default: the default generator, which manualSeed() seeds. */
  readonly generator?: Generator;
}

/** The keys of {@link LayerOptions}. */
export const layerOptions = ['dtype', 'device', 'generator'] as const;

function made<T extends Parameter | Buffer>(
  kind: new (...args: never) => T,
  shape: Shape,
  dtype: DType,
  value: number,
): T {
  return withModes({ grad: false, scope: null }, () => {
    const t = filled(shape, value, dtype);
    const out = adopt('parameter', kind as never, t) as T;
    t.dispose();
    return out;
  });
}

/** A parameter with one value everywhere; layers then draw what they start from. */
export function newParameter(layer: string, shape: Shape, options: LayerOptions, value = 0): Parameter {
  const dtype = checkFloat(layer, options);
  const out = onDevice(layer, options.device, () => made(Parameter, shape, dtype, value));
  out.requiresGrad = true;
  return out;
}

/** A buffer with one value everywhere. */
export function newBuffer(layer: string, shape: Shape, options: LayerOptions, dtype: DType, value: number): Buffer {
  return onDevice(layer, options.device, () => made(Buffer, shape, dtype, value));
}
