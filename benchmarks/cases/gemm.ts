// Matrix products: square from 32 to 4096, skinny, tall, transposed four ways, batched, matrix times vector, float64,
// bfloat16, and the layers of models.
import type { Case, Input } from '../case.js';

interface Form {
  readonly transposed?: 'n' | 't' | 'both' | 'a' | 'b';
  readonly batch?: number;
  readonly dtype?: Input['dtype'];
  readonly quick?: boolean;
}

/** a [m, k] times b [k, n]; a "t" says which operand lies transposed in memory. */
export function gemm(m: number, n: number, k: number, form: Form = {}): Case {
  const { transposed = 'n', batch, dtype, quick } = form;
  const a = transposed === 'a' || transposed === 'both';
  const b = transposed === 'b' || transposed === 'both';
  const lead = batch === undefined ? [] : [batch];
  const marks = `${batch === undefined ? '' : `${batch} of `}${m}x${n}x${k}`;
  const kinds = transposed === 'n' ? '' : ` ${a ? 't' : 'n'}${b ? 't' : 'n'}`;
  return {
    group: 'gemm',
    name: `matmul ${marks}${kinds}${dtype === undefined ? '' : ` ${dtype}`}`,
    work: 'matmul',
    inputs: [
      { shape: [...lead, m, k], dtype, transposed: a },
      { shape: [...lead, k, n], dtype, transposed: b },
    ],
    // PyTorch rounds the result to bfloat16.
    ...(dtype === 'bfloat16' ? { tolerance: 2 ** -8 } : {}),
    quick,
  };
}

function linear(rows: number, inputs: number, outputs: number, quick?: boolean, relu = false): Case {
  return {
    group: 'gemm',
    name: `linear ${rows}x${inputs} to ${outputs}${relu ? ', relu' : ''}`,
    work: relu ? 'linearRelu' : 'linear',
    inputs: [{ shape: [rows, inputs] }, { shape: [outputs, inputs] }, { shape: [outputs] }],
    quick,
  };
}

/** A layer with bias and relu, its weight packed before the clock runs. */
const prepared = (rows: number, inputs: number, outputs: number, quick?: boolean): Case => ({
  ...linear(rows, inputs, outputs, quick),
  name: `linear ${rows}x${inputs} to ${outputs}, relu, prepared`,
  work: 'linearPrepared',
  prepares: true,
});

/** Packing that weight, once for many calls. */
const packing = (inputs: number, outputs: number): Case => ({
  ...linear(128, inputs, outputs, true),
  name: `linear ${inputs} to ${outputs}: weight packed`,
  work: 'linearPreparation',
  preparation: true,
});

export const cases: readonly Case[] = [
  ...[32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096].map((n) =>
    gemm(n, n, n, { quick: [64, 256, 512, 1024].includes(n) }),
  ),
  ...[31, 63, 127, 255, 513, 1000].map((n) => gemm(n, n, n, { quick: n === 255 })),
  // Skinny: few rows or columns, or a short inner axis.
  ...[2, 4, 8, 16, 32, 64].map((m) => gemm(m, 1024, 1024, { quick: m === 32 || m === 4 })),
  ...[2, 8, 32].map((n) => gemm(1024, n, 1024)),
  ...[8, 32, 64].map((k) => gemm(1024, 1024, k, { quick: k === 32 })),
  gemm(64, 64, 4096),
  gemm(128, 128, 16384),
  // Tall.
  gemm(16384, 64, 64, { quick: true }),
  gemm(65536, 16, 16),
  gemm(64, 16384, 64),
  ...(['a', 'b', 'both'] as const).flatMap((transposed) => [
    gemm(128, 128, 128, { transposed }),
    gemm(512, 512, 512, { transposed, quick: true }),
    gemm(2048, 2048, 2048, { transposed }),
    gemm(32, 1024, 1024, { transposed }),
  ]),
  // The gradient of a weight: factors of many rows, transposed.
  gemm(1024, 256, 4096, { transposed: 'a', quick: true }),
  gemm(512, 128, 768, { transposed: 'a' }),
  // Batched: the products of attention, and many small ones.
  gemm(64, 64, 32, { batch: 48, quick: true }),
  gemm(64, 64, 32, { batch: 48, transposed: 'b' }),
  gemm(64, 32, 64, { batch: 48 }),
  gemm(16, 16, 16, { batch: 1024 }),
  gemm(128, 128, 64, { batch: 96, quick: true }),
  gemm(512, 512, 64, { batch: 12 }),
  // Matrix times vector, both ways round.
  ...[256, 1024, 4096].map((n) => gemm(1, n, n, { quick: n === 1024 })),
  ...[256, 1024, 4096].map((n) => gemm(n, 1, n, { quick: n === 1024 })),
  gemm(1, 1024, 1024, { transposed: 'b' }),
  gemm(1024, 1, 512),
  ...[128, 512, 1024, 2048].map((n) => gemm(n, n, n, { dtype: 'float64', quick: n === 512 })),
  ...[256, 512, 1024, 2048].map((n) => gemm(n, n, n, { dtype: 'bfloat16', quick: n === 512 })),
  ...(['n', 'b'] as const).flatMap((transposed) => [
    gemm(32, 1024, 1024, { dtype: 'bfloat16', transposed, quick: transposed === 'n' }),
    gemm(1, 1024, 1024, { dtype: 'bfloat16', transposed }),
  ]),
  gemm(128, 128, 64, { dtype: 'bfloat16', batch: 96 }),
  linear(128, 784, 512, true),
  linear(128, 512, 512),
  linear(128, 784, 512, true, true),
  linear(128, 512, 10),
  linear(1, 784, 512, true),
  linear(1, 512, 512),
  linear(64, 512, 1000),
  linear(768, 128, 384),
  linear(768, 128, 512, true),
  linear(768, 512, 128),
  linear(64, 512, 1024),
  prepared(1, 784, 512),
  prepared(4, 1024, 1024),
  prepared(128, 784, 512, true),
  packing(1024, 1024),
];
