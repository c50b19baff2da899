// New tensors of random numbers. Each number depends on the generator's seed, on how far its stream is, and on its own
// index: not on threads, nor on the device.
import { defineOp, type Op, type Row } from '../define.js';
import { onDevice } from '../device.js';
import { apply } from '../dispatch.js';
import { type DType, dtypes } from '../dtype.js';
import { fail, show } from '../errors.js';
import { checkOptions } from '../options.js';
import { checkGenerator, type Generator, type GeneratorState } from '../random.js';
import { checkInteger, checkShape, numel, type Shape } from '../shape.js';
import { Tensor } from '../tensor.js';
import { costPerElement } from './axes.js';
import { dtypeOf, finish, type TensorOptions, tensorOptions } from './create.js';
import { packStream, randomBelow, randomWord } from './make/philox.js';

/** How a random tensor is made. */
export interface RandomOptions extends TensorOptions {
  /** Default: the default generator, which manualSeed() seeds. */
  readonly generator?: Generator;
}

interface Drawn {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly stream: GeneratorState;
}

/** A row that draws a tensor: `number` is element i, from the words of the stream. */
function drawing<P>(
  name: string,
  accepts: (dtype: DType) => boolean,
  parameters: (attrs: P) => readonly number[],
  number: (attrs: P & Drawn, i: number) => number,
): Op<P & Drawn> {
  const row: Row<P & Drawn> = {
    name,
    inputs: [],
    infer: (_inputs, { shape, dtype }) => {
      if (!accepts(dtype)) fail(name, 'no numbers of this dtype are drawn', dtype);
      return { shape, dtype };
    },
    pack: (attrs) => [...packStream(attrs.stream), ...parameters(attrs)],
    vjp: [],
    ref: (_inputs, attrs) => ({
      shape: attrs.shape,
      data: Float64Array.from({ length: numel(attrs.shape) }, (_, i) => number(attrs, i)),
    }),
    cost: (_inputs, outputs) => costPerElement(30)(outputs, []),
  };
  return defineOp(row);
}

const isFloat = (dtype: DType) => dtypes[dtype].isFloat;
const isNumeric = (dtype: DType) => dtype !== 'bool';

/** Fraction i in [0, 1): 24 bits of a word, or 53 of two. */
function fraction({ stream, dtype }: Drawn, i: number): number {
  if (dtype === 'float32') return (randomWord(stream, i) >>> 8) / 2 ** 24;
  const high = randomWord(stream, 2 * i) >>> 5;
  return (high * 2 ** 26 + (randomWord(stream, 2 * i + 1) >>> 6)) / 2 ** 53;
}

const randomOptions = [...tensorOptions, 'generator'] as const;

/** 32-bit words that a number takes. */
const wordsOf = (dtype: DType) => (dtype === 'float64' ? 2 : 1);

/** What all functions here have in common: shape, dtype, stream. */
function prepare<O extends RandomOptions>(
  op: string,
  shape: Shape,
  options: O,
  known: readonly (keyof O & string)[],
  accepts = isFloat,
): Drawn {
  const checked = [...checkShape(op, shape)];
  const dtype = dtypeOf(op, options, 'float32', known);
  const generator = checkGenerator(op, options.generator);
  if (!accepts(dtype)) fail(op, 'no numbers of this dtype are drawn', show(dtype));
  return { shape: checked, dtype, stream: generator.take(numel(checked) * wordsOf(dtype)) };
}

function checkFinite(op: string, what: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  return fail(op, `${what} must be a finite number`, show(value));
}

// ---- uniform

interface Between {
  readonly low: number;
  readonly high: number;
}

const uniformOp = drawing<Between>(
  'uniform',
  isFloat,
  ({ low, high }) => [low, high],
  (attrs, i) => attrs.low + fraction(attrs, i) * (attrs.high - attrs.low),
);

/**
 * A tensor of numbers drawn uniformly from [low, high), by default [0, 1), with 24 (float32) or 53 (float64) random bits.
 * Throws when the bounds are not finite numbers in order, and for a dtype that is not a float.
 */
export function uniform(shape: Shape, options: RandomOptions & Partial<Between> = {}): Tensor {
  const known = [...randomOptions, 'low', 'high'] as const;
  checkOptions('uniform', options, known);
  const low = checkFinite('uniform', 'low', options.low ?? 0);
  const high = checkFinite('uniform', 'high', options.high ?? 1);
  if (low > high) fail('uniform', 'low must not be above high', `${low} and ${high}`);
  const drawn = prepare('uniform', shape, options, known);
  const largest = drawn.dtype === 'float32' ? 3.4028234663852886e38 : Number.MAX_VALUE;
  if (high - low > largest) fail('uniform', `high - low is beyond ${drawn.dtype}`, `${low} and ${high}`);
  return finish(
    'uniform',
    onDevice('uniform', options.device, () => apply(uniformOp, [], { ...drawn, low, high })),
    options,
  );
}

/** A tensor of numbers drawn uniformly from [0, 1). Throws as {@link uniform} does. */
export function rand(shape: Shape, options: RandomOptions = {}): Tensor {
  const drawn = prepare('rand', shape, options, randomOptions);
  return finish('rand', apply(uniformOp, [], { ...drawn, low: 0, high: 1 }), options);
}

// ---- normal

interface Bell {
  readonly mean: number;
  readonly std: number;
}

/** Box and Muller's pair that number i belongs to: cosine for even i, sine for odd. */
function normalNumber(attrs: Drawn, i: number): number {
  const pair = 2 * Math.floor(i / 2);
  const { stream, dtype } = attrs;
  let u: number;
  let turn: number;
  if (dtype === 'float32') {
    const [a, b] = [randomWord(stream, pair), randomWord(stream, pair + 1)];
    const low = ((a & 255) << 8) | (b & 255);
    u = Math.fround((a >>> 8) / 2 ** 24 + (low + 0.5) / 2 ** 40);
    turn = (b >>> 8) / 2 ** 24;
  } else {
    u = fraction(attrs, pair) + 2 ** -54;
    turn = fraction(attrs, pair + 1);
  }
  // Around 0 rather than up to 1: the sine of a multiple of pi would be lost in the rounding of 2 pi.
  const quarter = Math.round(4 * turn);
  const angle = 2 * Math.PI * (turn - quarter / 4);
  const swings = [Math.cos(angle), Math.sin(angle), -Math.cos(angle), -Math.sin(angle)];
  return Math.sqrt(-2 * Math.log(u)) * swings[(i % 2 === 0 ? [0, 3, 2, 1] : [1, 0, 3, 2])[quarter % 4]];
}

const normalOp = drawing<Bell>(
  'normal',
  isFloat,
  ({ mean, std }) => [mean, std],
  (attrs, i) => attrs.mean + attrs.std * normalNumber(attrs, i),
);

/**
 * A tensor of numbers drawn from the normal distribution of the given mean (default 0) and standard deviation (default 1):
 * Box and Muller 1958. Tails reach 7.5 (float32) and 8.5 (float64) standard deviations. Throws when they are not finite
 * or std is negative, and for a dtype that is not a float.
 */
export function normal(shape: Shape, options: RandomOptions & Partial<Bell> = {}): Tensor {
  const known = [...randomOptions, 'mean', 'std'] as const;
  checkOptions('normal', options, known);
  const mean = checkFinite('normal', 'mean', options.mean ?? 0);
  const std = checkFinite('normal', 'std', options.std ?? 1);
  if (std < 0) fail('normal', 'std must not be negative', show(std));
  const drawn = prepare('normal', shape, options, known);
  const t = onDevice('normal', options.device, () => apply(normalOp, [], { ...drawn, mean, std }));
  return finish('normal', t, options);
}

/** A tensor of numbers drawn from the standard normal distribution. Throws as {@link normal} does. */
export function randn(shape: Shape, options: RandomOptions = {}): Tensor {
  const drawn = prepare('randn', shape, options, randomOptions);
  return finish('randn', apply(normalOp, [], { ...drawn, mean: 0, std: 1 }), options);
}

// ---- choices

const bernoulliOp = drawing<{ readonly p: number }>(
  'bernoulli',
  () => true,
  ({ p }) => [p],
  ({ stream, p }, i) => Number(p >= 1 || randomWord(stream, i) < Math.floor(p * 2 ** 32)),
);

/** How {@link bernoulli} draws. */
export interface BernoulliOptions extends RandomOptions {
  /** The probability of a 1: a number, or a tensor that broadcasts to the shape. Default 0.5. */
  readonly p?: number | Tensor;
}

/**
 * A tensor of ones and zeros, 1 with probability p; float32 unless another dtype is asked for (bool for a mask).
 * Throws when p is a number outside of [0, 1], or does not broadcast to the shape.
 */
export function bernoulli(shape: Shape, options: BernoulliOptions = {}): Tensor {
  const known = [...randomOptions, 'p'] as const;
  const { p = 0.5, generator } = checkOptions('bernoulli', options, known);
  if (p instanceof Tensor) {
    const dtype = dtypeOf('bernoulli', options, 'float32', known);
    checkShape('bernoulli', shape);
    checkGenerator('bernoulli', generator);
    const chances = uniform(shape, { generator, device: p.device });
    return finish('bernoulli', chances.lt(p.detach().expand(shape)).cast(dtype), options);
  }
  if (!(typeof p === 'number' && p >= 0 && p <= 1)) fail('bernoulli', 'p must be from 0 to 1', show(p));
  const drawn = prepare('bernoulli', shape, options, known, () => true);
  const t = onDevice('bernoulli', options.device, () => apply(bernoulliOp, [], { ...drawn, p }));
  return finish('bernoulli', t, options);
}

const randintOp = drawing<{ readonly low: number; readonly range: number }>(
  'randint',
  isNumeric,
  ({ low, range }) => [low, range],
  ({ stream, low, range }, i) => low + randomBelow(stream, i, range),
);

/** Whole numbers that a dtype holds without a gap: from, to. */
const wholes: Readonly<Record<string, readonly [number, number]>> = {
  int32: [-2147483648, 2147483647],
  uint8: [0, 255],
  float32: [-16777216, 16777216],
  float64: [-2147483648, 2147483647],
};

/**
 * A tensor of whole numbers drawn from low to high - 1, all equally likely; int32 unless another dtype is asked for. Throws
 * unless low < high are whole numbers that the dtype holds, and for bool.
 */
export function randint(low: number, high: number, shape: Shape, options: RandomOptions = {}): Tensor {
  const dtype = dtypeOf('randint', options, 'int32', randomOptions);
  if (dtype === 'bool') fail('randint', 'no numbers of this dtype are drawn', show(dtype));
  const [least, most] = wholes[dtype];
  checkInteger('randint', 'low', low, least, most);
  checkInteger('randint', 'high', high, low + 1, most + 1);
  // A number takes one word whatever its dtype.
  const checked = [...checkShape('randint', shape)];
  const stream = checkGenerator('randint', options.generator).take(numel(checked));
  const attrs = { shape: checked, dtype, stream, low, range: high - low };
  const t = onDevice('randint', options.device, () => apply(randintOp, [], attrs));
  return finish('randint', t, options);
}

const permutationOp: Op<Drawn> = defineOp<Drawn>({
  name: 'permutation',
  inputs: [],
  infer: (_inputs, { shape }) => ({ shape, dtype: 'int32' }),
  pack: ({ stream }) => packStream(stream),
  vjp: [],
  ref: (_inputs, { shape, stream }) => {
    const data = new Float64Array(shape[0]);
    for (let i = 0; i < data.length; i++) {
      const j = randomBelow(stream, i, i + 1);
      data[i] = data[j];
      data[j] = i;
    }
    return { shape, data };
  },
  cost: (_inputs, outputs) => costPerElement(30)(outputs, []),
});

/**
 * The whole numbers from 0 to count - 1 in random order, every order equally likely: an int32 vector (Durstenfeld 1964).
 * Throws unless count is a whole number from 0 to 2^31 - 1.
 */
export function permutation(count: number, options: { readonly generator?: Generator } = {}): Tensor {
  checkInteger('permutation', 'count', count, 0, 2147483647);
  checkOptions('permutation', options, ['generator']);
  const stream = checkGenerator('permutation', options.generator).take(count);
  return apply(permutationOp, [], { shape: [count], dtype: 'int32', stream });
}
