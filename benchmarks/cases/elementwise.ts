// Elementwise ops and copies, from 16 to 64 M elements.
import { type Case, count, type Input, times } from '../case.js';

const K = 1 << 10;
const M = 1 << 20;
// In the first cache, the second, the third, and beyond.
const sweep = [16, 4 * K, 64 * K, M, 16 * M, 64 * M];

type Range = Pick<Input, 'low' | 'high' | 'dtype'>;

function pass(work: string, ranges: readonly Range[], size: number, more: Partial<Case> = {}): Case {
  const label = more.options?.exponent === undefined ? '' : ` ${more.options.exponent}`;
  return {
    group: 'elementwise',
    name: `${work}${label} ${count(size)}`,
    work,
    inputs: ranges.map((range) => ({ shape: [size], ...range })),
    ...more,
  };
}

const plain: Range = {};
const positive: Range = { low: 0.01, high: 4 };
const wide: Range = { low: -8, high: 8 };
const bool: Range = { dtype: 'bool' };

/** Functions of one operand, and what they are given. */
const unary: readonly (readonly [string, Range])[] = [
  ['neg', plain],
  ['abs', plain],
  ['sign', plain],
  ['square', plain],
  ['reciprocal', positive],
  ['sqrt', positive],
  ['rsqrt', positive],
  ['exp', wide],
  ['exp2', wide],
  ['expm1', plain],
  ['log', positive],
  ['log2', positive],
  ['log10', positive],
  ['log1p', positive],
  ['sin', wide],
  ['cos', wide],
  ['tan', plain],
  ['erf', plain],
  ['floor', wide],
  ['ceil', wide],
  ['trunc', wide],
  ['round', wide],
  ['relu', wide],
  ['sigmoid', wide],
  ['tanh', wide],
  ['silu', wide],
  ['gelu', wide],
  ['geluTanh', wide],
  ['leakyRelu', wide],
  ['elu', wide],
  ['softplus', wide],
  ['isNaN', plain],
  ['isFinite', plain],
  ['logicalNot', bool],
];

const binary: readonly (readonly [string, Range])[] = [
  ['sub', plain],
  ['mul', plain],
  ['div', positive],
  ['pow', positive],
  ['atan2', plain],
  ['maximum', plain],
  ['minimum', plain],
  ['remainder', positive],
  ['floorDivide', positive],
  ['eq', plain],
  ['ne', plain],
  ['lt', plain],
  ['le', plain],
  ['gt', plain],
  ['ge', plain],
  ['logicalAnd', bool],
  ['logicalOr', bool],
  ['logicalXor', bool],
];

const swept = ['exp', 'tanh', 'sigmoid', 'gelu', 'relu'];
const withGradient = ['relu', 'sigmoid', 'tanh', 'silu', 'gelu', 'geluTanh', 'leakyRelu', 'elu', 'softplus'];

function gradient(work: string): Case {
  const base = pass(work, [wide], M);
  return { ...base, name: `${base.name}: gradient`, gradient: 0, quick: true };
}

/** Operands that broadcast. */
function broadcast(work: string, a: readonly number[], b: readonly number[], quick = false): Case {
  return {
    group: 'elementwise',
    name: `${work} ${times(a)} and ${times(b)}`,
    work,
    inputs: [{ shape: a }, { shape: b }],
    quick,
  };
}

export const cases: readonly Case[] = [
  ...sweep.map((size) => pass('add', [plain, plain], size, { quick: size === 4 * K || size === M || size === 16 * M })),
  pass('add', [plain, plain], 16 * M, { name: 'add 16M, new output everywhere', given: false }),
  pass('addInPlace', [plain, { low: 0, high: 1e-6 }], 16 * M, { name: 'add_ 16M, in place', tolerance: 1e-3 }),
  ...unary.flatMap(([work, range]) =>
    swept.includes(work)
      ? sweep.map((size) => pass(work, [range], size, { quick: size === 64 * K || size === 16 * M }))
      : [M, 16 * M].map((size) => pass(work, [range], size, { quick: size === M })),
  ),
  ...binary.flatMap(([work, range]) =>
    [M, 16 * M].map((size) => pass(work, [range, range], size, { quick: size === M })),
  ),
  ...[3, 4, 0.5, -0.5, -2].map((exponent) => pass('powScalar', [positive], M, { options: { exponent } })),
  pass('powScalar', [positive], M, { options: { exponent: 2.5 }, quick: true }),
  pass('clamp', [wide], M, { options: { min: -1, max: 1 }, quick: true }),
  {
    ...pass('clamp', [wide], M, { options: { min: -1, max: 1 } }),
    name: 'clamp 1M: gradient',
    gradient: 0,
    quick: true,
  },
  { ...pass('div', [positive, positive], M), name: 'div 1M: gradients', gradient: -1, quick: true },
  { ...pass('maximum', [plain, plain], M), name: 'maximum 1M: gradients', gradient: -1, quick: true },
  pass('where', [bool, plain, plain], 16 * M, { quick: true }),
  pass('chain', [plain, plain], 16 * M, { name: 'relu(x y + 1) / 2, four ops, 16M' }),
  pass('exp', [{ ...wide, dtype: 'float64' }], 4 * M, { name: 'exp 4M float64', quick: true }),
  pass('add', [{ dtype: 'float64' }, { dtype: 'float64' }], 4 * M, { name: 'add 4M float64' }),
  ...withGradient.map(gradient),
  broadcast('add', [4096, 1024], [1024], true),
  broadcast('mul', [64, 64, 56, 56], [64, 1, 1], true),
  broadcast('add', [4096, 1024], [4096, 1]),
  // Copies.
  pass('copy', [plain], 16 * M, { quick: true }),
  {
    ...pass('copy', [plain], 4 * M),
    name: 'copy of a transposed 2048x2048',
    work: 'transpose',
    inputs: [{ shape: [2048, 2048] }],
    quick: true,
  },
  pass('castFloat64', [plain], 4 * M),
  { ...pass('fill', [], 0), name: 'full 16M', options: { shape: [16 * M], value: 1 }, quick: true },
];
