// The rows of normalisation: out = (x - mean) / sqrt(variance + eps) weight + bias. What is normalised together, and what
// shares a weight, is the difference between batch, layer and group normalisation; root mean square normalisation has
// neither mean nor bias.
import { defineOp, type Meta, type Op, type RefArray, type Saved } from '../define.js';
import { applyAll, applyInto, type Operand } from '../dispatch.js';
import { fail } from '../errors.js';
import { formatShape, numel, reducedShape, type Shape, sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { costPerElement } from './axes.js';
import { bytesOf } from './cost.js';
import { checkDTypes } from './make/operands.js';
import { type Formula, gradients, type Layout, normalized, type Parts, statisticsOf } from './norm-reference.js';

/** Attributes of a normalisation. */
export interface Normalized extends Formula {
  /** Normalisations of the last axes: how many of them are taken together. */
  readonly last: number;
}

const channels = (x: Shape): Layout => {
  const others = x.flatMap((_, d) => (d === 1 ? [] : [d]));
  return { together: others, shared: others, parameter: [x[1]], wide: x.map((size, d) => (d === 1 ? size : 1)) };
};

const lastAxes = (x: Shape, { last }: Normalized): Layout => {
  const lead = x.length - last;
  const all = x.map((_, d) => d);
  return { together: all.slice(lead), shared: all.slice(0, lead), parameter: x.slice(lead), wide: x.slice(lead) };
};

const groups = (x: Shape): Layout => {
  return { together: [2, 3], shared: [0, 3], parameter: x.slice(1, 3), wide: [1, x[1], x[2], 1] };
};

/** A kind of normalisation. */
interface Kind {
  readonly name: string;
  /** The fewest axes of x, given the attributes. */
  readonly axes: (attrs: Normalized) => number;
  readonly layout: (x: Shape, attrs: Normalized) => Layout;
  readonly pack: (attrs: Normalized, x: Shape) => number[];
  /** Whether a mean is subtracted and a bias added. */
  readonly centred: boolean;
  /** Whether a relu may follow: its mask is computed again in the gradient, from the bias too. */
  readonly masks: boolean;
  /** Another tensor is added to the result, before the relu. */
  readonly adds?: boolean;
}

/** A single number serves all elements and has no axes to put in. */
const widened = (t: Tensor, { wide }: Layout) => (t.ndim === 0 ? t : t.reshape(wide));

function checkParameters(op: string, x: Meta, { parameter }: Layout, parameters: readonly Meta[]): void {
  for (const m of parameters) {
    if (m.shape.length > 0 && !sameShape(m.shape, parameter)) {
      const given = `${formatShape(m.shape)} for x ${formatShape(x.shape)}`;
      fail(op, `weight and bias must be ${formatShape(parameter)} or a number`, given);
    }
  }
}

const named = <T>(names: readonly string[], values: readonly T[]): Readonly<Record<string, T>> =>
  Object.fromEntries(names.map((name, i) => [name, values[i]]));

const zero: RefArray = { shape: [], data: Float64Array.of(0) };

function checkResidual(op: string, x: Meta, residual: Meta | undefined): void {
  if (residual === undefined || sameShape(residual.shape, x.shape)) return;
  fail(op, 'the residual must have the shape of x', `${formatShape(residual.shape)} and ${formatShape(x.shape)}`);
}

function sumOf(terms: readonly (Tensor | null)[]): Tensor | null {
  return terms.reduce((sum, t) => (sum === null ? t : t === null ? sum : sum.add(t)), null);
}

/** The row of a normalisation, and that of its gradient. */
function normRow(kind: Kind): Op<Normalized> {
  const { name, centred, masks, adds = false } = kind;
  const statistics = centred ? ['mean', 'variance'] : ['variance'];
  const parameters = centred ? ['weight', 'bias'] : ['weight'];
  const past = adds ? ['residual'] : [];
  const saved = ['x', 'weight', ...(masks ? ['bias'] : []), ...statistics, ...past];
  const layoutOf = (op: string, x: Meta, attrs: Normalized) => {
    if (x.shape.length < kind.axes(attrs)) fail(op, 'x has too few axes', formatShape(x.shape));
    return kind.layout(x.shape, attrs);
  };
  const gradient: Op<Normalized> = defineOp<Normalized>({
    name: `${name}Grad`,
    inputs: ['g', ...saved],
    outputs: ['gx', 'gw', ...(centred ? ['gb'] : []), ...(adds ? ['gr'] : [])],
    infer: (inputs, attrs) => {
      const [, x, weight] = inputs;
      const layout = layoutOf(`${name}Grad`, x, attrs);
      const dtype = checkDTypes(`${name}Grad`, 'floats', inputs);
      checkParameters(`${name}Grad`, x, layout, inputs.slice(2, masks ? 4 : 3));
      const shape = reducedShape(x.shape, layout.together, true);
      const first = masks ? 4 : 3;
      for (const m of inputs.slice(first, first + statistics.length)) {
        if (!sameShape(m.shape, shape))
          fail(`${name}Grad`, `statistics must be ${formatShape(shape)}`, formatShape(m.shape));
      }
      if (!sameShape(inputs[0].shape, x.shape)) {
        fail(`${name}Grad`, 'g and x differ in shape', `${formatShape(inputs[0].shape)} and ${formatShape(x.shape)}`);
      }
      const like = { shape: x.shape, dtype };
      checkResidual(`${name}Grad`, x, adds ? inputs[inputs.length - 1] : undefined);
      return [like, ...parameters.map(() => ({ shape: weight.shape, dtype })), ...past.map(() => like)];
    },
    pack: (attrs, [, x]) => kind.pack(attrs, x.shape),
    save: ['g', ...saved],
    vjp: {
      joint: (_g, operands, { attrs, gs: [u, v, z = null, r = null] }) => {
        const to = secondOrder(kind, gradient, attrs, operands, [u, v, z, r]);
        return ['g', ...saved].map((input) => to[input] ?? null);
      },
    },
    ref: (inputs, attrs) => {
      const parts: Parts = { mean: zero, ...named(['g', ...saved], inputs) };
      const [gx, gw, gb, gr] = gradients(kind.layout(parts.x.shape, attrs), parts, attrs, centred);
      return [gx, gw, ...(centred ? [gb] : []), ...(adds ? [gr] : [])];
    },
    cost: costPerElement(10),
  });
  return defineOp<Normalized>({
    name,
    inputs: ['x', ...parameters, ...past],
    outputs: ['out', ...statistics],
    infer: (inputs, attrs) => {
      const [x] = inputs;
      const layout = layoutOf(name, x, attrs);
      const dtype = checkDTypes(name, 'floats', inputs);
      checkParameters(name, x, layout, inputs.slice(1, 1 + parameters.length));
      checkResidual(name, x, inputs[1 + parameters.length]);
      const shape = reducedShape(x.shape, layout.together, true);
      return [{ shape: x.shape, dtype }, ...statistics.map(() => ({ shape, dtype }))];
    },
    pack: (attrs, [x]) => kind.pack(attrs, x.shape),
    save: saved,
    vjp: {
      joint: (_g, operands, { attrs, gs }) => {
        const { x, mean } = operands;
        const { together } = kind.layout(x.shape, attrs);
        const [g, gVariance = null] = [gs[0], gs[statistics.length]];
        const gMean = centred ? gs[1] : null;
        const given = saved.map((input) => operands[input]);
        const [gx, ...rest] = g === null ? [] : applyAll(gradient, [g, ...given], attrs);
        const n = together.reduce((count, d) => count * x.shape[d], 1);
        const terms = [gx ?? null];
        if (gMean !== null) terms.push(gMean.mul(1 / n).expand(x.shape));
        if (gVariance !== null) terms.push((centred ? x.sub(mean) : x).mul(gVariance.mul(2 / n)));
        return [sumOf(terms), ...[...parameters, ...past].map((_, i) => rest[i] ?? null)];
      },
    },
    ref: (inputs, attrs) => {
      const parts: Parts = { bias: zero, ...named(['x', ...parameters, ...past], inputs) };
      const layout = kind.layout(parts.x.shape, attrs);
      const s = statisticsOf(parts.x, layout, centred);
      const out = normalized(parts.x, layout, { ...parts, ...s }, attrs);
      return centred ? [out, s.mean, s.variance] : [out, s.variance];
    },
    cost: costPerElement(8),
  });
}

/**
 * The gradients of a gradient. With y = (x - mean) r, h = g weight, M the mean over what is normalised together and
 * P(h) = h - M(h) - y M(h y): gx = r P(h), gw = sum of g y, gb = sum of g; u, v, z are what flows to them, r what flows to
 * the gradient of a residual, which is g. P is its own transpose, so what flows to h is the gradient row again, applied to u. Without a mean P has no M(h); behind a relu g is 0
 * where that gave 0.
 */
function secondOrder(
  { layout: layoutOf, centred, masks, adds = false }: Kind,
  gradient: Op<Normalized>,
  attrs: Normalized,
  { g: given, x, weight, bias, mean, variance, residual }: Saved,
  [u, v, z, r]: readonly (Tensor | null)[],
): Record<string, Tensor | null> {
  const layout = layoutOf(x.shape, attrs);
  const averaged = (t: Tensor) => t.mean(layout.together, { keepDims: true });
  const summed = (t: Tensor) => t.sum(layout.together, { keepDims: true });
  const root = variance.add(attrs.eps).rsqrt();
  const centre = centred ? x.sub(mean) : x;
  const y = centre.mul(root);
  const w = widened(weight, layout);
  const before = () => {
    const out = y.mul(w).add(widened(bias, layout));
    return adds ? out.add(residual) : out;
  };
  const mask = attrs.relu ? before().gt(0).cast(x.dtype) : null;
  const masked = (t: Tensor | null) => (mask === null || t === null ? t : t.mul(mask));
  const g = masked(given) as Tensor;
  const toG: (Tensor | null)[] = [];
  const toY: (Tensor | null)[] = [];
  let toWeight: Tensor | null = null;
  let toRoot: Tensor | null = null;
  if (u !== null) {
    const h = g.mul(w);
    const statistics: Operand[] = centred ? [mean, variance] : [variance];
    const plain = { ...attrs, relu: false };
    const nothing = adds ? [residual] : []; // without a relu it is not looked at
    const d = applyAll(gradient, [u, x, 1, ...(masks ? [0] : []), ...statistics, ...nothing], plain)[0];
    const meanHy = averaged(h.mul(y));
    const direct = y.mul(meanHy);
    toG.push(d.mul(w));
    toWeight = d.mul(g).sum(layout.shared).reshape(layout.parameter);
    toY.push(
      u
        .mul(meanHy)
        .add(h.mul(averaged(u.mul(y))))
        .mul(root)
        .neg(),
    );
    toRoot = summed(u.mul((centred ? h.sub(averaged(h)) : h).sub(direct)));
  }
  if (v !== null) {
    const wide = widened(v, layout);
    toG.push(wide.mul(y));
    toY.push(wide.mul(g));
  }
  if (z !== null) toG.push(widened(z, layout).expand(x.shape));
  if (r !== null) toG.push(r);
  const slope = sumOf(toY);
  const flowing = masked(sumOf(toG));
  if (slope === null) return { g: flowing, weight: toWeight };
  const toX = slope.mul(root);
  const rootSlope = sumOf([toRoot, summed(slope.mul(centre))]) as Tensor;
  const toVariance = rootSlope.mul(root.pow(3)).mul(-0.5);
  return { g: flowing, x: toX, weight: toWeight, mean: summed(toX).neg(), variance: toVariance };
}

const packChannels = ({ eps, relu }: Normalized) => [eps, relu ? 1 : 0];
const packLast = ({ eps, last }: Normalized, x: Shape) => [numel(x.slice(x.length - last)), eps];

/** Each channel of [N, C, ...] by its own statistics. */
export const batchNormOp: Op<Normalized> = normRow({
  name: 'batchNorm',
  axes: () => 2,
  layout: channels,
  pack: packChannels,
  centred: true,
  masks: true,
});

/** The same with a residual of the shape of x added to the result, before the relu. */
export const batchNormAddOp: Op<Normalized> = normRow({
  name: 'batchNormAdd',
  axes: () => 2,
  layout: channels,
  pack: packChannels,
  centred: true,
  masks: true,
  adds: true,
});

/** The last axes by their own statistics. */
export const layerNormOp: Op<Normalized> = normRow({
  name: 'layerNorm',
  axes: ({ last }) => last,
  layout: lastAxes,
  pack: packLast,
  centred: true,
  masks: false,
});

/** The last axes by their own mean square. */
export const rmsNormOp: Op<Normalized> = normRow({
  name: 'rmsNorm',
  axes: ({ last }) => last,
  layout: lastAxes,
  pack: packLast,
  centred: false,
  masks: false,
});

/** The last two axes of [N, G, channels of a group, places] by their own statistics, weighted by [G, channels]. */
export const groupNormOp: Op<Normalized> = normRow({
  name: 'groupNorm',
  axes: () => 4,
  layout: groups,
  pack: ({ eps }) => [eps],
  centred: true,
  masks: false,
});

/** The sum of g (x - mean) over each channel. */
function centredSum(g: Tensor, x: Tensor, mean: Tensor): Tensor {
  const layout = channels(x.shape);
  return g.mul(x.sub(widened(mean, layout))).sum(layout.shared);
}

const evalInputs = ['x', 'mean', 'variance', 'weight', 'bias'];

/** Each channel of [N, C, ...] by given statistics. */
export const batchNormEvalOp: Op<Normalized> = defineOp<Normalized>({
  name: 'batchNormEval',
  inputs: evalInputs,
  infer: (inputs) => {
    const [x, ...parameters] = inputs;
    if (x.shape.length < 2) fail('batchNormEval', 'x has too few axes', formatShape(x.shape));
    checkParameters('batchNormEval', x, channels(x.shape), parameters);
    return { shape: x.shape, dtype: checkDTypes('batchNormEval', 'floats', inputs) };
  },
  pack: packChannels,
  save: evalInputs,
  vjp: {
    joint: (given, { x, mean, variance, weight, bias }, { attrs, needs }) => {
      const layout = channels(x.shape);
      const root = variance.add(attrs.eps).rsqrt();
      const scale = weight.mul(root);
      const wide = (t: Tensor) => widened(t, layout);
      const out = attrs.relu ? x.sub(wide(mean)).mul(wide(scale)).add(wide(bias)) : null;
      const g = out === null ? given : given.mul(out.gt(0).cast(x.dtype));
      const summed = g.sum(layout.shared);
      const centred = needs[2] || needs[3] ? centredSum(g, x, mean) : summed;
      return [
        g.mul(wide(scale)),
        summed.mul(scale).neg(),
        centred.mul(scale.mul(root).mul(root)).mul(-0.5),
        centred.mul(root),
        summed,
      ];
    },
  },
  ref: (inputs, attrs) => {
    const parts: Parts = named(evalInputs, inputs);
    return normalized(parts.x, channels(parts.x.shape), parts, attrs);
  },
  cost: costPerElement(3),
});

interface Moved {
  /** What each statistic of the batch is multiplied by first. */
  readonly factors: readonly number[];
}

const moveRunningOp: Op<Moved> = defineOp<Moved>({
  name: 'moveRunning',
  inputs: ['momentum', 'statistics'],
  variadic: true,
  infer: (inputs, { factors: { length } }) => {
    checkDTypes('moveRunning', 'floats', inputs);
    if (inputs[0].shape.length > 0) fail('moveRunning', 'momentum must be a number', formatShape(inputs[0].shape));
    const running = inputs.slice(1, 1 + length);
    inputs.slice(1).forEach(({ shape }, i) => {
      if (shape.length !== 1 || !sameShape(shape, running[i % length].shape)) {
        const given = `${formatShape(running[i % length].shape)} and ${formatShape(shape)}`;
        fail('moveRunning', 'statistics must be vectors of one size', given);
      }
    });
    return running;
  },
  pack: ({ factors }) => factors,
  vjp: ['none', 'none'],
  ref: ([momentum, ...statistics], { factors }) =>
    factors.map((factor, k) => {
      const [running, batch] = [statistics[k], statistics[factors.length + k]];
      const data = running.data.map((v, i) => v + momentum.data[0] * (factor * batch.data[i] - v));
      return { shape: running.shape, data };
    }),
  cost: (inputs, outputs) => ({
    flops: 3 * outputs.reduce((n, m) => n + numel(m.shape), 0),
    bytes: bytesOf([...inputs, ...outputs]),
  }),
});

/** @internal running += momentum (factor batch - running) for each of some vectors, in place, in one call. */
export function moveRunning(
  running: readonly Tensor[],
  batch: readonly Tensor[],
  momentum: Operand,
  factors: readonly number[],
): void {
  applyInto(moveRunningOp, [momentum, ...running, ...batch], running, { factors });
}
