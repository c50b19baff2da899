import { fail, show } from '../errors.js';
import { tidy } from '../memory.js';
import { tensor, zerosLike } from '../ops/create.js';
import { checkOptions, withDefaults } from '../options.js';
import { Sfc32 } from '../sfc32.js';
import { formatShape, type Shape, sameShape } from '../shape.js';
import { Tensor } from '../tensor.js';
import { grad } from './backward.js';
import { enableGrad, noGrad } from './modes.js';

/** A function whose gradient is checked: tensors in, one or several out. Outputs that are not float64 are left out. */
export type Checked = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

/** How closely gradients are compared. */
export interface GradcheckOptions {
  /**
   * Step of the central difference, relative to elements above 1, default 1e-5: its error is about eps^2 f''' / 6 from the curve and 1e-16 f / eps from
   * rounding, near 1e-11 for functions of order 1.
   */
  readonly eps?: number;
  /** Largest absolute difference, default 1e-6. */
  readonly atol?: number;
  /** Largest difference relative to the numeric gradient, default 1e-4; the two are added. */
  readonly rtol?: number;
  /** Of the random cotangents and samples, default 0. */
  readonly seed?: number;
  /** At most so many elements of each input are perturbed, picked at random. Default: all of them. */
  readonly samples?: number;
}

interface Settings extends Required<GradcheckOptions> {
  readonly op: string;
}

function settingsOf(op: string, options: GradcheckOptions): Settings {
  const defaults = { eps: 1e-5, atol: 1e-6, rtol: 1e-4, seed: 0, samples: Number.POSITIVE_INFINITY };
  checkOptions(op, options, Object.keys(defaults) as (keyof typeof defaults)[]);
  const settings = { op, ...withDefaults(defaults, options) };
  for (const name of ['eps', 'atol', 'rtol', 'samples'] as const) {
    const value = settings[name];
    if (typeof value !== 'number' || !(value >= 0) || (value === 0 && name !== 'atol' && name !== 'rtol')) {
      fail(op, `${name} must be a positive number`, show(value));
    }
  }
  if (!Number.isSafeInteger(settings.seed) || settings.seed < 0) {
    fail(op, 'seed must be a whole number, 0 or more', show(settings.seed));
  }
  return settings;
}

/** The inputs that gradients are checked for, by position. */
function checkedInputs(op: string, inputs: readonly Tensor[]): number[] {
  if (!Array.isArray(inputs)) fail(op, 'inputs must be an array of tensors', show(inputs));
  inputs.forEach((x, i) => {
    if (!(x instanceof Tensor)) fail(op, `input ${i} must be a tensor`, show(x));
    if (x.requiresGrad && x.dtype !== 'float64') {
      fail(op, `input ${i} must be float64: a central difference needs its precision`, x.describe());
    }
  });
  const chosen = inputs.flatMap((x, i) => (x.requiresGrad ? [i] : []));
  if (chosen.length === 0) fail(op, 'no input requires grad', `${inputs.length} inputs`);
  return chosen;
}

function outputsOf(op: string, fn: Checked, inputs: readonly Tensor[]): Tensor[] {
  const result = fn(...inputs);
  const outputs = result instanceof Tensor ? [result] : result;
  if (!Array.isArray(outputs) || outputs.some((t) => !(t instanceof Tensor))) {
    fail(op, 'the function must return a tensor or an array of tensors', show(result));
  }
  const checked = (outputs as Tensor[]).filter((t) => t.dtype === 'float64');
  if (checked.length === 0) fail(op, 'the function returned no float64 tensor', show(result));
  return checked;
}

function values(t: Tensor): Float64Array {
  return t.dataSync() as Float64Array;
}

/** Copies with data of their own, so that neither the check nor the function can change the caller's tensors. */
function leafLike(x: Tensor, data: ArrayLike<number>): Tensor {
  if (x.dtype !== 'float64') return x.detach();
  return tensor(Float64Array.from(data), { shape: x.shape, requiresGrad: x.requiresGrad });
}

/** Up to `limit` of the numbers below `n`, in rising order, drawn without repeats. */
function sample(n: number, limit: number, random: Sfc32): number[] {
  if (n <= limit) return Array.from({ length: n }, (_, i) => i);
  const picked = new Set<number>();
  while (picked.size < limit) picked.add(random.below(n));
  return [...picked].sort((a, b) => a - b);
}

function position(index: number, shape: Shape): string {
  const at: number[] = [];
  for (let d = shape.length - 1, rest = index; d >= 0; d--) {
    at.unshift(rest % shape[d]);
    rest = Math.floor(rest / shape[d]);
  }
  return formatShape(at);
}

/** d/dx <outputs(x), cotangents> at one element of one input. */
function numericSlope(
  settings: Settings,
  fn: Checked,
  data: Float64Array[],
  like: readonly Tensor[],
  cotangents: Float64Array[],
  i: number,
  element: number,
): number {
  const center = data[i][element];
  const step = settings.eps * Math.max(1, Math.abs(center));
  const at = (value: number) => {
    data[i][element] = value;
    return tidy(() =>
      noGrad(() => {
        const inputs = like.map((x, k) => leafLike(x, data[k]));
        return outputsOf(settings.op, fn, inputs).map(values);
      }),
    );
  };
  const above = at(center + step);
  const below = at(center - step);
  data[i][element] = center;
  // The difference is taken before the products are summed: the sum would drown it.
  let slope = 0;
  above.forEach((out, k) => {
    out.forEach((v, e) => {
      if (v !== below[k][e]) slope += ((v - below[k][e]) / (2 * step)) * cotangents[k][e];
    });
  });
  return slope;
}

function compare(settings: Settings, fn: Checked, inputs: readonly Tensor[]): void {
  const { op, atol, rtol } = settings;
  const chosen = checkedInputs(op, inputs);
  const data = inputs.map((x) => (x.dtype === 'float64' ? values(x) : new Float64Array(0)));
  const leaves = inputs.map((x, i) => leafLike(x, data[i]));
  const outputs = outputsOf(op, fn, leaves);
  const random = new Sfc32(settings.seed, 0, 0);
  const cotangents = outputs.map((t) => Float64Array.from({ length: t.size }, () => random.between(-1, 1)));

  const live = outputs.flatMap((t, k) => (t.requiresGrad ? [k] : []));
  const gradients =
    live.length === 0
      ? chosen.map(() => null)
      : grad(
          live.map((k) => outputs[k]),
          chosen.map((i) => leaves[i]),
          {
            gradOutputs: live.map((k) => tensor(cotangents[k], { shape: outputs[k].shape })),
            allowUnused: true,
          },
        );
  gradients.forEach((g, n) => {
    const i = chosen[n];
    const { shape } = inputs[i];
    if (g !== null && (!sameShape(g.shape, shape) || g.dtype !== 'float64')) {
      fail(
        op,
        `the gradient of input ${i} has another shape or dtype than the input`,
        `${g.describe()}, input ${inputs[i].describe()}`,
      );
    }
    const analytic = g === null ? new Float64Array(inputs[i].size) : values(g);
    for (const element of sample(inputs[i].size, settings.samples, random)) {
      const numeric = numericSlope(settings, fn, data, inputs, cotangents, i, element);
      const found = analytic[element];
      // NaN must not pass, so the test is for what is right.
      if (Math.abs(found - numeric) <= atol + rtol * Math.abs(numeric)) continue;
      fail(
        op,
        `input ${i} of shape ${formatShape(shape)}, element ${position(element, shape)}`,
        `analytic gradient ${found}, numeric ${numeric}`,
      );
    }
  });
}

/**
 * Compares the gradients that automatic differentiation gives with central differences, for every input that requires
 * grad, contracted with one random cotangent: <c, (f(x + h e) - f(x - h e)) / 2h> against the vector-Jacobian product.
 * All inputs that require grad must be float64. Blocks. Returns true.
 *
 * Throws an AthanorError that names the input, the element, and both values when they differ by more than
 * atol + rtol |numeric|; when an input is not float64; when nothing requires grad; when `fn` returns no float64 tensor.
 * At a kink (relu at 0) the two differ rightly: choose other inputs.
 */
export function gradcheck(fn: Checked, inputs: readonly Tensor[], options: GradcheckOptions = {}): true {
  tidy(() => compare(settingsOf('gradcheck', options), fn, inputs));
  return true;
}

function compareSecond(settings: Settings, fn: Checked, inputs: readonly Tensor[]): void {
  const chosen = checkedInputs(settings.op, inputs);
  const leaves = inputs.map((x) => leafLike(x, x.dtype === 'float64' ? values(x) : []));
  const random = new Sfc32(settings.seed, 1, 0);
  const outputs = outputsOf(settings.op, fn, leaves).filter((t) => t.requiresGrad);
  if (outputs.length === 0)
    fail(settings.op, 'no output depends on an input that requires grad', `${inputs.length} inputs`);
  const cotangents = outputs.map((t) =>
    tensor(
      Float64Array.from({ length: t.size }, () => random.between(-1, 1)),
      { shape: t.shape, requiresGrad: true },
    ),
  );
  const gradient: Checked = (...args) =>
    enableGrad(() => {
      const xs = args.slice(0, inputs.length);
      const ys = outputsOf(settings.op, fn, xs).filter((t) => t.requiresGrad);
      const gs = grad(
        ys,
        chosen.map((i) => xs[i]),
        { gradOutputs: args.slice(inputs.length), createGraph: true, allowUnused: true },
      );
      // An input that the outputs do not depend on has a gradient of 0 everywhere.
      return gs.map((g, n) => g ?? zerosLike(xs[chosen[n]]));
    });
  compare(settings, gradient, [...leaves, ...cotangents]);
}

/**
 * Compares second derivatives with central differences: {@link gradcheck} of the gradient itself, as a function of the
 * inputs and of the random cotangent that it is contracted with. Blocks. Returns true.
 *
 * Throws as gradcheck does; the inputs of its messages are those of `fn`, followed by one cotangent for each output.
 */
export function gradgradcheck(fn: Checked, inputs: readonly Tensor[], options: GradcheckOptions = {}): true {
  tidy(() => compareSecond(settingsOf('gradgradcheck', options), fn, inputs));
  return true;
}
