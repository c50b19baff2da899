// Attention of all heads in one call: queries q [N, L, H, E], keys k [N, S, H, E], values v [N, S, H, D], and a mask that
// is added to the scores [N, H, L, S] (0: none). Beside the result [N, L, H, D] it leaves the logarithm of each row's sum
// of exponentials, [N, H, L], from which the gradient makes the probabilities again; infinity for a query that sees no
// key. A fused gradient call serves the first derivative; where the backward pass is itself recorded the gradient is
// made of tensor ops.
import { context } from '../context.js';
import { defineOp, type Meta, type Op, type RefArray, type Saved } from '../define.js';
import { apply, applyAll, type Operand } from '../dispatch.js';
import { fail } from '../errors.js';
import { formatShape, numel, sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { bytesOf } from './cost.js';
import { arange } from './create.js';
import { stack } from './join.js';
import { checkDTypes } from './make/operands.js';
import { matmul } from './matmul.js';
import { where } from './where.js';

/** How scores are made. */
export interface Scores {
  /** Factor of q k^T. */
  readonly scale: number;
  /** A query sees only keys up to its own place. */
  readonly causal: boolean;
}

interface Sizes {
  readonly N: number;
  readonly L: number;
  readonly S: number;
  readonly H: number;
  readonly E: number;
  readonly D: number;
}

function sizesOf(op: string, q: Meta, k: Meta, v: Meta, mask: Meta): Sizes {
  const shapes = [q, k, v].map((m) => formatShape(m.shape)).join(', ');
  if (![q, k, v].every((m) => m.shape.length === 4)) fail(op, 'q, k and v must be [N, L, H, E]', shapes);
  const [[N, L, H, E], [, S], [, , , D]] = [q.shape, k.shape, v.shape];
  if (!sameShape(k.shape, [N, S, H, E]) || !sameShape(v.shape, [N, S, H, D])) {
    fail(op, 'q, k and v must agree in batch, heads and size', shapes);
  }
  if (mask.shape.length > 0 && !sameShape(mask.shape, [N, H, L, S])) {
    fail(op, `the mask must be ${formatShape([N, H, L, S])}`, formatShape(mask.shape));
  }
  return { N, L, S, H, E, D };
}

/** The metas of queries, keys and values in a window [N, L, 3, H, E]. */
function partsOf(op: string, packed: Meta): [Meta, Meta, Meta] {
  const { shape, dtype } = packed;
  if (shape.length !== 5 || shape[2] !== 3)
    fail(op, 'queries, keys and values must be [N, L, 3, H, E]', formatShape(shape));
  const part = { shape: [shape[0], shape[1], shape[3], shape[4]], dtype };
  return [part, part, part];
}

const outputsOf = ({ N, L, H, D }: Sizes, dtype: Meta['dtype']) => [
  { shape: [N, L, H, D], dtype },
  { shape: [N, H, L], dtype },
];

const pack = ({ scale, causal }: Scores) => [scale, Number(causal)];

// ---- references

interface Query {
  readonly n: number;
  readonly h: number;
  readonly l: number;
  /** Scores of the keys that it sees. */
  readonly scores: number[];
}

/** Calls `each` for every query of every head. */
function forQueries(z: Sizes, [q, k, , mask]: readonly RefArray[], attrs: Scores, each: (query: Query) => void): void {
  const { N, L, S, H, E } = z;
  for (let n = 0; n < N; n++) {
    for (let h = 0; h < H; h++) {
      for (let l = 0; l < L; l++) {
        const scores = Array.from({ length: attrs.causal ? Math.min(l + 1, S) : S }, (_, s) => {
          let sum = 0;
          for (let e = 0; e < E; e++)
            sum += q.data[((n * L + l) * H + h) * E + e] * k.data[((n * S + s) * H + h) * E + e];
          return sum * attrs.scale + mask.data[mask.shape.length === 0 ? 0 : ((n * H + h) * L + l) * S + s];
        });
        each({ n, h, l, scores });
      }
    }
  }
}

function forwardRef(inputs: readonly RefArray[], attrs: Scores): RefArray[] {
  const z = sizesOf('attention', ...(inputs as unknown as [Meta, Meta, Meta, Meta]));
  const { N, L, S, H, D } = z;
  const [, , v] = inputs;
  const out = new Float64Array(N * L * H * D);
  const logSums = new Float64Array(N * H * L);
  forQueries(z, inputs, attrs, ({ n, h, l, scores }) => {
    const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    const powers = scores.map((score) => (top === -Infinity ? 0 : Math.exp(score - top)));
    const sum = powers.reduce((a, b) => a + b, 0);
    logSums[(n * H + h) * L + l] = sum === 0 ? Infinity : top + Math.log(sum);
    for (let d = 0; d < D && sum !== 0; d++) {
      const value = powers.reduce((total, p, s) => total + p * v.data[((n * S + s) * H + h) * D + d], 0);
      out[((n * L + l) * H + h) * D + d] = value / sum;
    }
  });
  return [
    { shape: [N, L, H, D], data: out },
    { shape: [N, H, L], data: logSums },
  ];
}

function backwardRef(inputs: readonly RefArray[], attrs: Scores): RefArray[] {
  const [q, k, v, mask, out, logSums, g, gLogSums] = inputs;
  const z = sizesOf('attentionGrad', ...([q, k, v, mask] as unknown as [Meta, Meta, Meta, Meta]));
  const { L, S, H, E, D } = z;
  const [dq, dk, dv] = [q, k, v].map((x) => new Float64Array(x.data.length));
  forQueries(z, inputs, attrs, ({ n, h, l, scores }) => {
    const row = (n * L + l) * H + h;
    const at = (n * H + h) * L + l;
    let delta = -gLogSums.data[gLogSums.shape.length === 0 ? 0 : at];
    for (let d = 0; d < D; d++) delta += g.data[row * D + d] * out.data[row * D + d];
    scores.forEach((score, s) => {
      const key = (n * S + s) * H + h;
      const p = Math.exp(score - logSums.data[at]);
      let slope = -delta;
      for (let d = 0; d < D; d++) {
        slope += g.data[row * D + d] * v.data[key * D + d];
        dv[key * D + d] += p * g.data[row * D + d];
      }
      for (let e = 0; e < E; e++) {
        dq[row * E + e] += p * slope * attrs.scale * k.data[key * E + e];
        dk[key * E + e] += p * slope * attrs.scale * q.data[row * E + e];
      }
    });
  });
  return [
    { shape: q.shape, data: dq },
    { shape: k.shape, data: dk },
    { shape: v.shape, data: dv },
  ];
}

/** Queries, keys and values of a reference's window [N, L, 3, H, E]. */
function unpackRef({ shape, data }: RefArray): RefArray[] {
  const [N, L, , H, E] = shape;
  return [0, 1, 2].map((part) => ({
    shape: [N, L, H, E],
    data: Float64Array.from({ length: N * L * H * E }, (_, i) => {
      const row = Math.floor(i / (H * E));
      return data[(row * 3 + part) * H * E + (i % (H * E))];
    }),
  }));
}

function packRef(parts: readonly RefArray[], shape: readonly number[]): RefArray {
  const size = shape[3] * shape[4];
  const data = new Float64Array(numel(shape));
  parts.forEach((part, k) => {
    part.data.forEach((value, i) => {
      data[(Math.floor(i / size) * 3 + k) * size + (i % size)] = value;
    });
  });
  return { shape, data };
}

// ---- gradients

const costOf =
  (products: number, parts: (inputs: readonly Meta[]) => readonly Meta[]) =>
  (inputs: readonly Meta[], outputs: readonly Meta[], { causal }: Scores) => {
    const [q, k, v] = parts(inputs);
    const scores = q.shape[0] * q.shape[2] * q.shape[1] * k.shape[1] * (causal ? 0.5 : 1);
    const each = products * (q.shape[3] + v.shape[3]) + 30;
    return { flops: scores * each, bytes: bytesOf([...inputs, ...outputs]) };
  };
const separate = (inputs: readonly Meta[]) => inputs;
const together = (inputs: readonly Meta[]) => partsOf('packedAttention', inputs[0]);

const noRules = (count: number) => new Array<'none'>(count).fill('none');

/** in: the operands, out, logSums, and the gradients of both (of the latter 0 where there is none). */
const attentionGradOp: Op<Scores> = defineOp<Scores>({
  name: 'attentionGrad',
  inputs: ['q', 'k', 'v', 'mask', 'out', 'logSums', 'g', 'gLogSums'],
  outputs: ['q', 'k', 'v'],
  infer: (inputs) => {
    const [q, k, v, mask, out, logSums, g, gLogSums] = inputs;
    checkResults('attentionGrad', sizesOf('attentionGrad', q, k, v, mask), [out, logSums, g, gLogSums]);
    const dtype = checkDTypes('attentionGrad', 'floats', inputs);
    return [q, k, v].map(({ shape }) => ({ shape, dtype }));
  },
  pack,
  vjp: noRules(8),
  ref: backwardRef,
  cost: costOf(5, separate),
});

/** As attentionGrad, of queries, keys and values in one window [N, L, 3, H, E]. */
const packedAttentionGradOp: Op<Scores> = defineOp<Scores>({
  name: 'packedAttentionGrad',
  inputs: ['qkv', 'mask', 'out', 'logSums', 'g', 'gLogSums'],
  infer: (inputs) => {
    const [qkv, mask, ...results] = inputs;
    const op = 'packedAttentionGrad';
    checkResults(op, sizesOf(op, ...partsOf(op, qkv), mask), results);
    return { shape: qkv.shape, dtype: checkDTypes(op, 'floats', inputs) };
  },
  pack,
  vjp: noRules(6),
  ref: ([qkv, ...rest], attrs) => packRef(backwardRef([...unpackRef(qkv), ...rest], attrs), qkv.shape),
  cost: costOf(5, together),
});

function checkResults(op: string, z: Sizes, [out, logSums, g, gLogSums]: readonly Meta[]): void {
  const [result, sums] = outputsOf(z, out.dtype);
  const fits =
    sameShape(out.shape, result.shape) &&
    sameShape(g.shape, result.shape) &&
    sameShape(logSums.shape, sums.shape) &&
    (gLogSums.shape.length === 0 || sameShape(gLogSums.shape, sums.shape));
  if (!fits) fail(op, 'results and gradients must have the shapes of the forward call', formatShape(out.shape));
}

interface Differentials {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  /** Of the scores, [N, H, L, S]: that of the mask. */
  readonly scores: Tensor;
}

/** [L, S]: true where the key's place is not beyond the query's. */
export function upToOwn(queries: number, keys: number): Tensor {
  return arange(queries).unsqueeze(1).ge(arange(keys));
}

/** The gradients, of tensor ops and with whole matrices of scores. */
function composed(
  parts: readonly Tensor[],
  saved: Saved,
  gs: readonly (Tensor | null)[],
  attrs: Scores,
): Differentials {
  const [q, k, v, out] = [...parts, saved.out].map((t) => t.transpose(1, 2)); // [N, H, L, E]
  const g = gs[0]?.transpose(1, 2) ?? out.mul(0);
  let scores = matmul(q, k.transpose()).mul(attrs.scale).add(saved.mask);
  if (attrs.causal) {
    scores = where(upToOwn(q.shape[2], k.shape[2]), scores, -Infinity);
  }
  const p = scores.sub(saved.logSums.unsqueeze(-1)).exp();
  let delta = g.mul(out).sum(-1);
  if (gs[1]) delta = delta.sub(gs[1]);
  const slopes = p.mul(matmul(g, v.transpose()).sub(delta.unsqueeze(-1)));
  const scaled = slopes.mul(attrs.scale);
  return {
    q: matmul(scaled, k).transpose(1, 2),
    k: matmul(scaled.transpose(), q).transpose(1, 2),
    v: matmul(p.transpose(), g).transpose(1, 2),
    scores: slopes,
  };
}

const save = ['mask', 'out', 'logSums'];

/** The gradients of the results as the gradient rows take them. */
function incoming(gs: readonly (Tensor | null)[], { out }: Saved): [Operand, Operand] {
  return [gs[0] ?? out.mul(0), gs[1] ?? 0];
}

export const attentionOp = defineOp<Scores>({
  name: 'attention',
  inputs: ['q', 'k', 'v', 'mask'],
  outputs: ['out', 'logSums'],
  infer: (inputs) => {
    const [q, k, v, mask] = inputs;
    return outputsOf(sizesOf('attention', q, k, v, mask), checkDTypes('attention', 'floats', inputs));
  },
  pack,
  save: ['q', 'k', 'v', ...save],
  vjp: {
    joint: (_g, saved, { attrs, needs, gs }) => {
      const { q, k, v, mask, out, logSums } = saved;
      if (context().grad || needs[3]) {
        const d = composed([q, k, v], saved, gs, attrs);
        return [d.q, d.k, d.v, needs[3] ? d.scores : null];
      }
      return [...applyAll(attentionGradOp, [q, k, v, mask, out, logSums, ...incoming(gs, saved)], attrs), null];
    },
  },
  ref: forwardRef,
  cost: costOf(2, separate),
});

export const packedAttentionOp = defineOp<Scores>({
  name: 'packedAttention',
  inputs: ['qkv', 'mask'],
  outputs: ['out', 'logSums'],
  infer: (inputs) => {
    const [qkv, mask] = inputs;
    const sizes = sizesOf('packedAttention', ...partsOf('packedAttention', qkv), mask);
    return outputsOf(sizes, checkDTypes('packedAttention', 'floats', inputs));
  },
  pack,
  save: ['qkv', ...save],
  vjp: {
    joint: (_g, saved, { attrs, needs, gs }) => {
      const { qkv, mask, out, logSums } = saved;
      if (context().grad || needs[1]) {
        const d = composed(
          [0, 1, 2].map((part) => qkv.select(2, part)),
          saved,
          gs,
          attrs,
        );
        return [stack([d.q, d.k, d.v], 2), needs[1] ? d.scores : null];
      }
      return [apply(packedAttentionGradOp, [qkv, mask, out, logSums, ...incoming(gs, saved)], attrs), null];
    },
  },
  ref: ([qkv, mask], attrs) => forwardRef([...unpackRef(qkv), mask], attrs),
  cost: costOf(2, together),
});
