// What the rows of normalisation are held against: mean, variance and gradients of each group of elements, in float64.
import type { RefArray } from '../define.js';
import { numel, reducedShape, type Shape } from '../shape.js';
import { groupsOf } from './axes.js';
import { preciseSum } from './make/sum.js';

/** What an input is normalised along. */
export interface Layout {
  /** Axes that elements with one mean and variance extend along. */
  readonly together: readonly number[];
  /** Axes that elements with one weight and bias extend along. */
  readonly shared: readonly number[];
  /** The shape of weight and bias, and the same with axes of size 1 so that it broadcasts against x. */
  readonly parameter: Shape;
  readonly wide: Shape;
}

/** How a normalisation computes: what it divides by, and whether a relu follows. */
export interface Formula {
  readonly eps: number;
  readonly relu: boolean;
}

/** The references' operands, by their names in the rows. */
export type Parts = Readonly<Record<string, RefArray>>;

/** For each element of x the number of its group. */
function groupNumbers(x: Shape, axes: readonly number[]): Int32Array {
  const out = new Int32Array(numel(x));
  groupsOf(x, axes).forEach((group, k) => {
    for (const i of group) out[i] = k;
  });
  return out;
}

const numberOf = (t: RefArray, i: number) => t.data[t.data.length === 1 ? 0 : i];

const averageOf = (values: readonly number[]) => preciseSum(values) / values.length;

/** Mean and biased variance of what is taken together; about 0, the mean square, where nothing is centred. */
export function statisticsOf(
  x: RefArray,
  { together }: Layout,
  centred: boolean,
): { mean: RefArray; variance: RefArray } {
  const groups = groupsOf(x.shape, together).map((group) => group.map((i) => x.data[i]));
  const means = groups.map((values) => (centred ? averageOf(values) : 0));
  const shape = reducedShape(x.shape, together, true);
  const variances = groups.map((values, k) => averageOf(values.map((v) => (v - means[k]) ** 2)));
  return {
    mean: { shape, data: Float64Array.from(means) },
    variance: { shape, data: Float64Array.from(variances) },
  };
}

/**
 * (x - mean) / sqrt(variance + eps) weight + bias, plus the residual where there is one, and its relu where asked.
 * Statistics are one number for each group.
 */
export function normalized(x: RefArray, layout: Layout, parts: Parts, { eps, relu }: Formula): RefArray {
  const { mean, variance, weight, bias, residual } = parts;
  const groups = groupNumbers(x.shape, layout.together);
  const parameters = groupNumbers(x.shape, layout.shared);
  const data = x.data.map((v, i) => {
    const y = (v - numberOf(mean, groups[i])) / Math.sqrt(numberOf(variance, groups[i]) + eps);
    const past = residual === undefined ? 0 : residual.data[i];
    const out = y * numberOf(weight, parameters[i]) + numberOf(bias, parameters[i]) + past;
    return relu && out < 0 ? 0 : out;
  });
  return { shape: x.shape, data };
}

/** The gradients of x, weight and bias, and of a residual. */
export function gradients(layout: Layout, parts: Parts, formula: Formula, centred: boolean): RefArray[] {
  const { x, weight, mean, variance } = parts;
  const parameters = groupNumbers(x.shape, layout.shared);
  const out = formula.relu ? normalized(x, layout, parts, { ...formula, relu: false }).data : null;
  const g = parts.g.data.map((v, i) => (out !== null && out[i] <= 0 ? 0 : v));
  const gx = new Float64Array(x.data.length);
  const y = new Float64Array(x.data.length);
  groupsOf(x.shape, layout.together).forEach((group, k) => {
    const root = 1 / Math.sqrt(numberOf(variance, k) + formula.eps);
    for (const i of group) y[i] = (x.data[i] - numberOf(mean, k)) * root;
    const h = group.map((i) => g[i] * numberOf(weight, parameters[i]));
    const level = centred ? preciseSum(h) / group.length : 0;
    const slope = preciseSum(group.map((i, j) => h[j] * y[i])) / group.length;
    group.forEach((i, j) => {
      gx[i] = (h[j] - level - y[i] * slope) * root;
    });
  });
  const sums = (term: (i: number) => number): Float64Array => {
    const each = groupsOf(x.shape, layout.shared).map((group) => group.map(term));
    return Float64Array.from(weight.shape.length === 0 ? [each.flat()] : each, preciseSum);
  };
  return [
    { shape: x.shape, data: gx },
    { shape: weight.shape, data: sums((i) => g[i] * y[i]) },
    { shape: weight.shape, data: sums((i) => g[i]) },
    { shape: x.shape, data: Float64Array.from(g) },
  ];
}
