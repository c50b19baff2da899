// Initialisation of parameters, in place and unrecorded: the namespace `nn.init`.
import { withModes } from '../context.js';
import { fail, show } from '../errors.js';
import { normal, uniform } from '../ops/random.js';
import { checkGenerator, type Generator } from '../random.js';
import { formatShape, numel } from '../shape.js';
import { Tensor } from '../tensor.js';
import { checkName, checkNumber, checkOptions } from './check.js';

/** Where random values come from. */
export interface InitOptions {
  /** Default: the default generator, which manualSeed() seeds. */
  readonly generator?: Generator;
}

/** What follows a layer, for {@link calculateGain}. */
export type Nonlinearity = 'linear' | 'conv' | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu' | 'selu';

const nonlinearities = ['linear', 'conv', 'sigmoid', 'tanh', 'relu', 'leakyRelu', 'selu'] as const;

/** Puts new values into `t`: `make` gives them, or `t` itself when it has written them. */
function write(op: string, t: Tensor, make: (t: Tensor) => Tensor): Tensor {
  if (!(t instanceof Tensor)) fail(op, 'a tensor was expected', show(t));
  if (t.disposed) fail(op, 'the tensor was disposed of', t.describe());
  if (!t.isFloat) fail(op, 'a float tensor was expected', t.describe());
  withModes({ grad: false, scope: null, device: t.storage.device }, () => {
    const values = make(t);
    if (values === t) return;
    t.copy_(values);
    values.dispose();
  });
  return t;
}

/** Fills `t` from the uniform distribution on [low, high), by default [0, 1). Returns it. */
export function uniform_(
  t: Tensor,
  options: InitOptions & { readonly low?: number; readonly high?: number } = {},
): Tensor {
  const { low = 0, high = 1, generator } = checkOptions('uniform_', options, ['low', 'high', 'generator']);
  checkNumber('uniform_', 'low', low);
  checkNumber('uniform_', 'high', high, low);
  checkGenerator('uniform_', generator);
  return write('uniform_', t, ({ shape, dtype }) => uniform(shape, { low, high, dtype, generator }));
}

/**
 * Fills `t` from the normal distribution of the given mean (default 0) and standard deviation (default 1). Returns it.
 */
export function normal_(
  t: Tensor,
  options: InitOptions & { readonly mean?: number; readonly std?: number } = {},
): Tensor {
  const { mean = 0, std = 1, generator } = checkOptions('normal_', options, ['mean', 'std', 'generator']);
  checkNumber('normal_', 'mean', mean);
  checkNumber('normal_', 'std', std, 0);
  checkGenerator('normal_', generator);
  return write('normal_', t, ({ shape, dtype }) => normal(shape, { mean, std, dtype, generator }));
}

/** Fills `t` with one value. Returns it. */
export function constant_(t: Tensor, value: number): Tensor {
  return write('constant_', t, (x) => x.fill_(value));
}

/** Fills `t` with zeros. Returns it. */
export function zeros_(t: Tensor): Tensor {
  return write('zeros_', t, (x) => x.fill_(0));
}

/** Fills `t` with ones. Returns it. */
export function ones_(t: Tensor): Tensor {
  return write('ones_', t, (x) => x.fill_(1));
}

/**
 * How many inputs a unit has and how many units an input feeds, for a weight of shape [out, in, ...kernel]:
 * `in * kernel` and `out * kernel` elements. Throws for fewer than two axes.
 */
export function calculateFans(t: Tensor): { readonly fanIn: number; readonly fanOut: number } {
  if (!(t instanceof Tensor)) fail('calculateFans', 'a tensor was expected', show(t));
  if (t.ndim < 2) fail('calculateFans', 'a weight has at least two axes: [out, in, ...kernel]', t.describe());
  const field = numel(t.shape.slice(2));
  return { fanIn: t.shape[1] * field, fanOut: t.shape[0] * field };
}

/**
 * The factor that keeps a signal's scale through a nonlinearity: 1 for linear, conv and sigmoid, 5/3 for tanh, √2 for
 * relu, √(2 / (1 + a²)) for leakyRelu of slope a (`param`, default 0.01), 3/4 for selu.
 */
export function calculateGain(nonlinearity: Nonlinearity, param = 0.01): number {
  checkName('calculateGain', 'nonlinearity', nonlinearity, nonlinearities);
  if (nonlinearity === 'tanh') return 5 / 3;
  if (nonlinearity === 'relu') return Math.SQRT2;
  if (nonlinearity === 'leakyRelu') return Math.sqrt(2 / (1 + checkNumber('calculateGain', 'param', param) ** 2));
  return nonlinearity === 'selu' ? 3 / 4 : 1;
}

/** Fans of a weight none of whose axes is empty: there is no scale otherwise. */
function fansOf(op: string, t: Tensor): { readonly fanIn: number; readonly fanOut: number } {
  const fans = calculateFans(t);
  if (fans.fanIn === 0 || fans.fanOut === 0) fail(op, 'the weight is empty', formatShape(t.shape));
  return fans;
}

function xavierStd(op: string, t: Tensor, options: InitOptions & { readonly gain?: number }): number {
  const { gain = 1 } = checkOptions(op, options, ['gain', 'generator']);
  const { fanIn, fanOut } = fansOf(op, t);
  return checkNumber(op, 'gain', gain, 0) * Math.sqrt(2 / (fanIn + fanOut));
}

/**
 * Fills a weight uniformly in ±√3 gain √(2 / (fanIn + fanOut)). Returns it. Glorot and Bengio, "Understanding the
 * difficulty of training deep feedforward neural networks", 2010.
 */
export function xavierUniform_(t: Tensor, options: InitOptions & { readonly gain?: number } = {}): Tensor {
  const high = Math.sqrt(3) * xavierStd('xavierUniform_', t, options);
  return uniform_(t, { low: -high, high, generator: options.generator });
}

/** Fills a weight normally with standard deviation gain √(2 / (fanIn + fanOut)); see {@link xavierUniform_}. */
export function xavierNormal_(t: Tensor, options: InitOptions & { readonly gain?: number } = {}): Tensor {
  return normal_(t, { std: xavierStd('xavierNormal_', t, options), generator: options.generator });
}

/** Options of the Kaiming initialisations. */
export interface KaimingOptions extends InitOptions {
  /** Negative slope of a leakyRelu that follows. Default 0. */
  readonly a?: number;
  /** "fanIn" (default) keeps the scale forward, "fanOut" backward. */
  readonly mode?: 'fanIn' | 'fanOut';
  /** What follows the layer. Default "leakyRelu". */
  readonly nonlinearity?: Nonlinearity;
}

function kaimingStd(op: string, t: Tensor, options: KaimingOptions): number {
  const {
    a = 0,
    mode = 'fanIn',
    nonlinearity = 'leakyRelu',
  } = checkOptions(op, options, ['a', 'mode', 'nonlinearity', 'generator']);
  const fan = fansOf(op, t)[checkName(op, 'mode', mode, ['fanIn', 'fanOut'])];
  return calculateGain(nonlinearity, a) / Math.sqrt(fan);
}

/**
 * Fills a weight uniformly in ±√3 gain / √fan. Returns it. He et al., "Delving deep into rectifiers", 2015.
 */
export function kaimingUniform_(t: Tensor, options: KaimingOptions = {}): Tensor {
  const high = Math.sqrt(3) * kaimingStd('kaimingUniform_', t, options);
  return uniform_(t, { low: -high, high, generator: options.generator });
}

/** Fills a weight normally with standard deviation gain / √fan; see {@link kaimingUniform_}. */
export function kaimingNormal_(t: Tensor, options: KaimingOptions = {}): Tensor {
  return normal_(t, { std: kaimingStd('kaimingNormal_', t, options), generator: options.generator });
}
