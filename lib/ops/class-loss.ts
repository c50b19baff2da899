// Losses over classes: scores x [N, C, ...], one label for each of the N ... positions.
import { defineOp, type Meta, type Op, type RefArray, type Saved } from '../define.js';
import { apply, applyAll, type Operand } from '../dispatch.js';
import { dtypes } from '../dtype.js';
import { fail, show } from '../errors.js';
import { checkInteger, formatShape, numel, type Shape, sameShape } from '../shape.js';
import { Tensor } from '../tensor.js';
import { asFloat, checkTensor, costPerElement, groupsOf } from './axes.js';
import { bytesOf } from './cost.js';
import { arange } from './create.js';
import { checkDTypes, firstOf } from './make/operands.js';
import { checkReduction, type LossOptions, type Reduction } from './make/reduction.js';

/** Options of the losses over classes. */
export interface ClassLossOptions extends LossOptions {
  /** [C]: how much each class counts. The mean is then the weighted one. Default: all count 1. */
  readonly weight?: Tensor | null;
  /** Positions with this label count nothing. Default -100. */
  readonly ignoreIndex?: number;
}

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions extends ClassLossOptions {
  /** In [0, 1]: this share of each target is spread evenly over all classes (Szegedy et al., 2016). Default 0. */
  readonly labelSmoothing?: number;
}

interface Targets {
  readonly ignoreIndex: number;
  readonly smoothing: number;
}
interface ClassLoss extends Targets {
  readonly reduction: Reduction;
}

const reductions: Readonly<Record<Reduction, number>> = { none: 0, mean: 1, sum: 2 };

/** The shape of the positions: that of x without its classes. */
const positionsOf = (x: Shape) => [x[0], ...x.slice(2)];

/** Checks x, labels and weight; labels are int32 here. Returns the shape of the positions. */
function checkClasses(op: string, x: Meta, labels: Meta, weight: Meta): number[] {
  if (x.shape.length < 2) fail(op, 'x must be [N, classes, ...]', formatShape(x.shape));
  const positions = positionsOf(x.shape);
  if (!sameShape(labels.shape, positions)) {
    const given = `x is ${formatShape(x.shape)}, labels are ${formatShape(labels.shape)}`;
    fail(op, 'labels must have the shape of x without its classes', given);
  }
  if (labels.dtype !== 'int32') fail(op, 'labels must be int32', labels.dtype);
  if (weight.shape.length > 0 && !sameShape(weight.shape, [x.shape[1]])) {
    const given = `weight is ${formatShape(weight.shape)} for ${x.shape[1]} classes`;
    fail(op, 'weight must have one number for each class', given);
  }
  return positions;
}

function checkTotal(op: string, total: Meta): void {
  if (total.shape.length > 0) fail(op, 'total must be a number', formatShape(total.shape));
}

/**
 * What the losses compare with, as a distribution over the classes: [N, C, ...], the weight of the label's class at the
 * label, some of it spread by smoothing; 0 at ignored positions.
 */
function targetsOf(labels: Tensor, weight: Operand, x: Shape, { ignoreIndex, smoothing }: Targets): Tensor {
  const perClass = [x[1], ...x.slice(2).map(() => 1)];
  const dtype = weight instanceof Tensor ? weight.dtype : 'float64';
  const counts = labels.ne(ignoreIndex).unsqueeze(1);
  const chosen = labels.unsqueeze(1).eq(arange(x[1]).reshape(perClass)).logicalAnd(counts);
  const weights = weight instanceof Tensor && weight.ndim > 0 ? weight.reshape(perClass) : weight;
  const hard = chosen.cast(dtype).mul(weights);
  if (smoothing === 0) return hard;
  const even = counts
    .cast(dtype)
    .mul(weights)
    .mul(smoothing / x[1]);
  return hard.mul(1 - smoothing).add(even);
}

// ---- references

/** Calls `each` for every position with its place and the places of its classes in x. */
function forPositions(x: RefArray, each: (position: number, classes: number[]) => void): void {
  groupsOf(x.shape, [1]).forEach((classes, position) => {
    each(position, classes);
  });
}

function reduceRef(x: RefArray, { reduction }: ClassLoss, losses: Float64Array, weights: Float64Array): RefArray[] {
  const total = reduction === 'mean' ? weights.reduce((a, b) => a + b, 0) : 1;
  const out =
    reduction === 'none'
      ? { shape: positionsOf(x.shape), data: losses }
      : { shape: [], data: Float64Array.of(losses.reduce((a, b) => a + b, 0) / total) };
  return [out, { shape: [], data: Float64Array.of(total) }];
}

const weightRef = (weight: RefArray, c: number) => weight.data[weight.data.length === 1 ? 0 : c];

/** The target distribution of a position. */
function targetRef(label: number, weight: RefArray, classes: number, { ignoreIndex, smoothing }: Targets): number[] {
  return Array.from({ length: classes }, (_, c) =>
    label === ignoreIndex ? 0 : weightRef(weight, c) * ((c === label ? 1 - smoothing : 0) + smoothing / classes),
  );
}

function logSumExpRef(values: readonly number[]): number {
  const top = Math.max(...values);
  const shift = Number.isFinite(top) ? top : 0;
  return shift + Math.log(values.reduce((sum, v) => sum + Math.exp(v - shift), 0));
}

// ---- crossEntropy

/** The probabilities, the target distribution and its sum, at each position. */
function partsOf({ x, labels, weight, lse }: Saved, attrs: Targets): Record<'p' | 'target' | 'total', Tensor> {
  const target = targetsOf(labels, weight, x.shape, attrs);
  return { p: x.sub(lse.unsqueeze(1)).exp().cast(x.dtype), target, total: target.sum(1, { keepDims: true }) };
}

/** u times the derivative of the gradient by the score that it belongs to. */
function slopeOf(u: Tensor, saved: Saved, attrs: Targets): Tensor {
  const perClass = (t: Tensor) => (t.ndim === 0 ? t : t.unsqueeze(1));
  const { p, total } = partsOf(saved, attrs);
  return u.mul(p).mul(total.mul(perClass(saved.g.div(saved.total))).add(perClass(saved.h)));
}

/** in: x, labels, weight, the lse of each position, what losses are divided by, the gradients of its loss and its lse. */
const crossEntropyGradOp: Op<Targets> = defineOp<Targets>({
  name: 'crossEntropyGrad',
  inputs: ['x', 'labels', 'weight', 'lse', 'total', 'g', 'h'],
  infer: ([x, labels, weight, lse, total, g, h]) => {
    const positions = checkClasses('crossEntropyGrad', x, labels, weight);
    for (const m of [g, h]) {
      if (m.shape.length > 0 && !sameShape(m.shape, positions)) {
        fail('crossEntropyGrad', 'gradients must have one number for each position', formatShape(m.shape));
      }
    }
    if (lse.dtype !== 'float64') fail('crossEntropyGrad', 'lse must be float64', lse.dtype);
    checkTotal('crossEntropyGrad', total);
    return { shape: x.shape, dtype: checkDTypes('crossEntropyGrad', 'floats', [x, weight, total, g, h]) };
  },
  pack: ({ ignoreIndex, smoothing }) => [ignoreIndex, smoothing],
  save: ['x', 'labels', 'weight', 'lse', 'total', 'g', 'h'],
  vjp: [
    (u, saved, { attrs }) => slopeOf(u, saved, attrs),
    'none',
    'none',
    (u, saved, { attrs }) => slopeOf(u, saved, attrs).sum(1).neg(),
    'none',
    (u, saved, { attrs }) => {
      const { p, target, total } = partsOf(saved, attrs);
      return u.mul(p.mul(total).sub(target)).sum(1).div(saved.total);
    },
    (u, saved, { attrs }) => u.mul(partsOf(saved, attrs).p).sum(1),
  ],
  ref: ([x, labels, weight, lse, { data: divisor }, g, h], attrs) => {
    const data = new Float64Array(x.data.length);
    const at = (t: RefArray, i: number) => t.data[t.data.length === 1 ? 0 : i];
    forPositions(x, (i, classes) => {
      const target = targetRef(labels.data[i], weight, classes.length, attrs);
      const total = target.reduce((a, b) => a + b, 0);
      classes.forEach((place, c) => {
        const p = Math.exp(x.data[place] - lse.data[i]);
        data[place] = p * ((total * at(g, i)) / divisor[0] + at(h, i)) - (target[c] * at(g, i)) / divisor[0];
      });
    });
    return { shape: x.shape, data };
  },
  cost: costPerElement(6),
});

/** out: the loss; the logarithm of the softmax denominator of each position; what the losses were divided by. */
const crossEntropyOp = defineOp<ClassLoss>({
  name: 'crossEntropy',
  inputs: ['x', 'labels', 'weight'],
  outputs: ['out', 'lse', 'total'],
  infer: ([x, labels, weight], { reduction }) => {
    const positions = checkClasses('crossEntropy', x, labels, weight);
    const dtype = checkDTypes('crossEntropy', 'floats', [x, weight]);
    return [
      { shape: reduction === 'none' ? positions : [], dtype },
      { shape: positions, dtype: 'float64' },
      { shape: [], dtype },
    ];
  },
  pack: ({ reduction, ignoreIndex, smoothing }) => [reductions[reduction], ignoreIndex, smoothing],
  save: ['x', 'labels', 'weight', 'lse', 'total'],
  vjp: [
    (_g, { x, labels, weight, lse, total }, { attrs, gs: [gOut, gLse] }) => {
      const { ignoreIndex, smoothing } = attrs;
      const h: Operand = gLse === null ? 0 : gLse.cast(x.dtype);
      return apply(crossEntropyGradOp, [x, labels, weight, lse, total, gOut ?? 0, h], { ignoreIndex, smoothing });
    },
    'none',
    'none',
  ],
  ref: ([x, labels, weight], attrs) => {
    const positions = positionsOf(x.shape);
    const losses = new Float64Array(numel(positions));
    const weights = new Float64Array(numel(positions));
    const lse = new Float64Array(numel(positions));
    forPositions(x, (i, classes) => {
      const values = classes.map((place) => x.data[place]);
      lse[i] = logSumExpRef(values);
      const target = targetRef(labels.data[i], weight, classes.length, attrs);
      losses[i] = values.reduce((sum, v, c) => sum + (target[c] === 0 ? 0 : target[c] * (lse[i] - v)), 0);
      weights[i] = labels.data[i] === attrs.ignoreIndex ? 0 : weightRef(weight, labels.data[i]);
    });
    const [out, total] = reduceRef(x, attrs, losses, weights);
    return [out, { shape: positions, data: lse }, total];
  },
  cost: costPerElement(6),
});

// ---- nllLoss

const nllLossGradOp: Op<Targets & { readonly shape: Shape }> = defineOp({
  name: 'nllLossGrad',
  inputs: ['g', 'total', 'labels', 'weight'],
  infer: ([g, total, labels, weight], { shape }) => {
    checkClasses('nllLossGrad', { shape, dtype: g.dtype }, labels, weight);
    checkTotal('nllLossGrad', total);
    return { shape, dtype: checkDTypes('nllLossGrad', 'floats', [g, total, weight]) };
  },
  pack: ({ ignoreIndex }) => [ignoreIndex],
  save: ['total', 'labels', 'weight'],
  vjp: [
    (u, { total, labels, weight }, { attrs }) =>
      apply(nllLossOp, [u, labels, weight], { ...attrs, reduction: 'none' }).div(total),
    'none',
    'none',
    'none',
  ],
  ref: ([g, total, labels, weight], { shape, ...attrs }) => {
    const out = { shape, data: new Float64Array(numel(shape)) };
    forPositions(out, (i, classes) => {
      const target = targetRef(labels.data[i], weight, classes.length, attrs);
      classes.forEach((place, c) => {
        out.data[place] = target[c] === 0 ? 0 : (-target[c] * g.data[g.data.length === 1 ? 0 : i]) / total.data[0];
      });
    });
    return out;
  },
  cost: (inputs, outputs) => ({ ...costPerElement(0)(inputs, outputs), flops: numel(outputs[0].shape) }),
});

/** out: the loss; what the losses were divided by. */
const nllLossOp: Op<ClassLoss> = defineOp<ClassLoss>({
  name: 'nllLoss',
  inputs: ['x', 'labels', 'weight'],
  outputs: ['out', 'total'],
  infer: ([x, labels, weight], { reduction }) => {
    const positions = checkClasses('nllLoss', x, labels, weight);
    const dtype = checkDTypes('nllLoss', 'floats', [x, weight]);
    return [
      { shape: reduction === 'none' ? positions : [], dtype },
      { shape: [], dtype },
    ];
  },
  pack: ({ reduction, ignoreIndex }) => [reductions[reduction], ignoreIndex],
  save: ['labels', 'weight', 'total'],
  vjp: [
    (_g, { labels, weight, total }, { attrs, gs: [g], inputs: [x] }) => {
      if (g === null) return 0;
      const { ignoreIndex } = attrs;
      return apply(nllLossGradOp, [g, total, labels, weight], { ignoreIndex, smoothing: 0, shape: x.shape });
    },
    'none',
    'none',
  ],
  ref: ([x, labels, weight], attrs) => {
    const losses = new Float64Array(numel(positionsOf(x.shape)));
    const weights = new Float64Array(losses.length);
    forPositions(x, (i, classes) => {
      const label = labels.data[i];
      if (label === attrs.ignoreIndex) return;
      weights[i] = weightRef(weight, label);
      losses[i] = -weights[i] * x.data[classes[label]];
    });
    return reduceRef(x, attrs, losses, weights);
  },
  // Of x only the elements that the labels name are read.
  cost: ([x, labels, weight], outputs) => ({
    flops: numel(labels.shape),
    bytes: numel(labels.shape) * dtypes[x.dtype].itemSize + bytesOf([labels, weight, ...outputs]),
  }),
});

// ---- calls

function checkLabels(op: string, labels: Tensor, x: Tensor): Tensor {
  checkTensor(op, labels, 'labels');
  if (labels.dtype !== 'int32' && labels.dtype !== 'uint8') {
    const given = `x is ${x.describe()}, labels are ${labels.describe()}`;
    fail(op, 'labels must be int32 or uint8 indices of classes', given);
  }
  return labels.cast('int32');
}

/** Weights in the dtype of the scores; the number 1 where all count the same. */
function checkWeight(op: string, weight: Tensor | null | undefined, x: Tensor): Operand {
  return weight === null || weight === undefined ? 1 : checkTensor(op, weight, 'weight').detach().cast(x.dtype);
}

/** One sample without a batch axis, as a batch of one. */
function batched(op: Op<ClassLoss>, x: Tensor, labels: Tensor, weight: Operand, attrs: ClassLoss): Tensor {
  if (x.ndim !== 1) return firstOf(applyAll(op, [x, labels, weight], attrs));
  if (labels.ndim !== 0) {
    fail(op.name, 'labels must be a single index for one sample', `labels are ${formatShape(labels.shape)}`);
  }
  const out = firstOf(applyAll(op, [x.unsqueeze(0), labels.unsqueeze(0), weight], attrs));
  return out.reshape([]);
}

const classLossOptions = ['reduction', 'weight', 'ignoreIndex'] as const;
const crossEntropyOptions = [...classLossOptions, 'labelSmoothing'] as const;

function attrsOf<O extends CrossEntropyOptions>(
  op: string,
  options: O,
  known: readonly (keyof O & string)[],
): ClassLoss {
  const reduction = checkReduction(op, options, known);
  const { ignoreIndex = -100, labelSmoothing = 0 } = options;
  checkInteger(op, 'ignoreIndex', ignoreIndex, -2147483648, 2147483647);
  if (typeof labelSmoothing !== 'number' || !(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    fail(op, 'labelSmoothing must be a number from 0 to 1', show(labelSmoothing));
  }
  return { reduction, ignoreIndex, smoothing: labelSmoothing };
}

/** The cross entropy with a distribution over the classes at each position. */
function withProbabilities(x: Tensor, target: Tensor, weight: Operand, { reduction, smoothing }: ClassLoss): Tensor {
  const classes = x.ndim === 1 ? 0 : 1;
  const even = smoothing === 0 ? target : target.mul(1 - smoothing).add(smoothing / x.shape[classes]);
  const perClass = x.shape.map((size, d) => (d === classes ? size : 1));
  const weighted = weight instanceof Tensor ? even.mul(weight.reshape(perClass)) : even;
  const losses = x.logSoftmax(classes).mul(weighted).sum(classes).neg();
  if (reduction === 'none') return losses;
  return reduction === 'sum' ? losses.sum() : losses.sum().div(Math.max(1, losses.size));
}

/**
 * The cross entropy of scores x [N, C, ...] (or [C] for one sample) with labels [N, ...]: `-log softmax(x)[label]` at each
 * position, averaged with the weights of the labels' classes (default), summed, or one for each position. Labels are int32
 * or uint8 indices in [0, C); a float tensor in the shape of x gives a distribution over the classes instead. Label
 * smoothing mixes every target with the even distribution. Throws when shapes do not fit, for labels that are neither
 * indices nor distributions, and for options out of range; a label out of range rejects the next sync point and is named
 * with its position. Source: torch.nn.functional.cross_entropy.
 */
export function crossEntropy(x: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const attrs = attrsOf('crossEntropy', options, crossEntropyOptions);
  const scores = asFloat(checkTensor('crossEntropy', x));
  const weight = checkWeight('crossEntropy', options.weight, scores);
  checkTensor('crossEntropy', labels, 'labels');
  if (labels.isFloat && scores.ndim > 0 && sameShape(labels.shape, scores.shape)) {
    return withProbabilities(scores, labels, weight, attrs);
  }
  return batched(crossEntropyOp, scores, checkLabels('crossEntropy', labels, x), weight, attrs);
}

/**
 * The negative log-likelihood of log-probabilities x [N, C, ...] (or [C] for one sample) and labels [N, ...]: `-x[label]`
 * at each position, averaged with the weights of the labels' classes (default), summed, or one for each position. Labels
 * are int32 or uint8 indices in [0, C). Throws when shapes do not fit, and for other labels; a label out of range rejects
 * the next sync point and is named with its position. Source: torch.nn.functional.nll_loss.
 */
export function nllLoss(x: Tensor, labels: Tensor, options: ClassLossOptions = {}): Tensor {
  const attrs = attrsOf('nllLoss', options, classLossOptions);
  const scores = asFloat(checkTensor('nllLoss', x));
  const weight = checkWeight('nllLoss', options.weight, scores);
  return batched(nllLossOp, scores, checkLabels('nllLoss', labels, x), weight, attrs);
}
