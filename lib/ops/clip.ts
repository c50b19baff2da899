// What gradient clipping needs: a norm over many tensors, and their scaling by a limit on it.
import { calledAs } from '../callsite.js';
import { defineOp, type Meta } from '../define.js';
import { apply, applyInto } from '../dispatch.js';
import { dtypes } from '../dtype.js';
import { fail } from '../errors.js';
import { formatShape, numel } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { bytesOf } from './cost.js';

const elements = (metas: readonly Meta[]) => metas.reduce((n, m) => n + numel(m.shape), 0);

function checkFloats(op: string, inputs: readonly Meta[]): void {
  for (const m of inputs) {
    if (!dtypes[m.dtype].isFloat || m.dtype !== inputs[0].dtype) {
      fail(op, 'the tensors must be of one float dtype', `${inputs[0].dtype} and ${m.dtype}`);
    }
  }
}

const totalNormOp = defineOp<{ p: number }>({
  name: 'totalNorm',
  inputs: ['tensors'],
  variadic: true,
  infer: (inputs) => {
    checkFloats('totalNorm', inputs);
    return { shape: [], dtype: inputs[0].dtype };
  },
  pack: ({ p }) => [p],
  vjp: ['none'],
  ref: (inputs, { p }) => {
    let largest = 0;
    let sum = 0;
    let lost = 0; // what each addition rounds off: a plain sum of many terms is no reference
    for (const v of inputs.flatMap(({ data }) => Array.from(data, Math.abs))) {
      const term = v ** p;
      const next = sum + term;
      lost += sum >= term ? sum - next + term : term - next + sum;
      sum = next;
      largest = Math.max(largest, v);
    }
    const norm = Number.isFinite(sum) ? (sum + lost) ** (1 / p) : sum;
    return { shape: [], data: Float64Array.of(p === Number.POSITIVE_INFINITY ? largest : norm) };
  },
  cost: (inputs, outputs) => ({ flops: 2 * elements(inputs), bytes: bytesOf([...inputs, ...outputs]) }),
});

/** @internal (sum of |x|^p over all elements of all tensors)^(1/p), or the largest |x| for an infinite p: a scalar. */
export function totalNorm(tensors: readonly Tensor[], p: number): Tensor {
  return calledAs('clipGradNorm_', 'totalNorm', () => apply(totalNormOp, tensors, { p }));
}

interface Limit {
  readonly limit: number;
  /** Fail, and change nothing, where the norm is nan or infinite. */
  readonly finite: boolean;
}

const clipScaleOp = defineOp<Limit>({
  name: 'clipScale',
  inputs: ['norm', 'tensors'],
  variadic: true,
  infer: (inputs) => {
    checkFloats('clipScale', inputs);
    if (inputs[0].shape.length !== 0) fail('clipScale', 'the norm must be a scalar', formatShape(inputs[0].shape));
    return inputs.slice(1);
  },
  pack: ({ limit, finite }) => [limit, finite ? 1 : 0],
  refusesData: true,
  vjp: ['none', 'none'],
  ref: ([norm, ...tensors], { limit }) => {
    const ratio = limit / (norm.data[0] + 1e-6);
    return tensors.map(({ shape, data }) => ({ shape, data: data.map((v) => v * (ratio > 1 ? 1 : ratio)) }));
  },
  cost: (inputs, outputs) => ({ flops: elements(outputs), bytes: bytesOf([...inputs, ...outputs]) }),
});

/** @internal Multiplies the tensors by min(1, limit / (norm + 1e-6)), in place. */
export function clipScale_(norm: Tensor, tensors: readonly Tensor[], attrs: Limit): void {
  applyInto(clipScaleOp, [norm, ...tensors], tensors, attrs, 'clipGradNorm_');
}
