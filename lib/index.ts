// The public surface. index.mts re-exports it for ES modules by name, so only plain `export ... from` belongs here.
export { type BackwardOptions, grad } from './autograd/backward.js';
export {
  type DerivativeOptions,
  hessian,
  hvp,
  jacobian,
  jvp,
  type Like,
  type Tensors,
  vjp,
} from './autograd/functional.js';
export { type Checked, type GradcheckOptions, gradcheck, gradgradcheck } from './autograd/gradcheck.js';
export { enableGrad, isGradEnabled, noGrad } from './autograd/modes.js';
export type { GradHook } from './autograd/tape.js';
export type { Dataset } from './data/dataset.js';
export { type SyntheticDigitsOptions, syntheticDigits } from './data/digits/index.js';
export type { ImageSplits, LabelledImages } from './data/images.js';
export { DataLoader, type DataLoaderOptions } from './data/loader.js';
export { loadMnist, type MnistOptions, type MnistPlace, mnistPlaces } from './data/mnist.js';
export { TensorDataset } from './data/tensor-dataset.js';
export { type DeviceInfo, type DeviceName, devices, getDefaultDevice, setDefaultDevice } from './device.js';
export type { DataOf, DType, TypedArray } from './dtype.js';
export { AthanorError } from './errors.js';
export { type IdxArray, readIdx } from './io/idx.js';
export {
  inspectSafetensors,
  type LoadSafetensorsOptions,
  loadSafetensors,
  type NamedTensors,
  type SafetensorsSummary,
  type SaveSafetensorsOptions,
  saveSafetensors,
} from './io/safetensors/index.js';
export {
  type BatchSweep,
  type BatchSweepOptions,
  batchSweep,
  type ChromeTrace,
  type ComputeKind,
  type ComputeRoof,
  computeKind,
  type LayerProfile,
  type LayerSweep,
  type Machine,
  type MeasureOptions,
  type MemoryLevel,
  type MemoryRoof,
  measureMachine,
  type Peak,
  type Profile,
  type ProfileOptions,
  profile,
  type Roofline,
  type RooflineOptions,
  type Roofs,
  roofline,
  type Situation,
  type Spread,
  type StreamKind,
  type TraceEvent,
} from './lab/index.js';
export { keep, type MemoryReport, memory, resetPeakMemory, setMemoryLimit, tidy, trimMemory } from './memory.js';
export * as models from './models/index.js';
export * as nn from './nn/index.js';
export { elu, type GeluOptions, gelu, leakyRelu, relu, sigmoid, silu, softplus, tanh } from './ops/activation.js';
export { argmax, argmin } from './ops/argmax.js';
export { type AttentionOptions, scaledDotProductAttention } from './ops/attention.js';
export type { KeepDims } from './ops/axes.js';
export { add, atan2, div, floorDivide, maximum, minimum, mul, pow, remainder, sub } from './ops/binary.js';
export {
  eq,
  ge,
  gt,
  isFinite,
  isNaN,
  le,
  logicalAnd,
  logicalNot,
  logicalOr,
  logicalXor,
  lt,
  ne,
} from './ops/compare.js';
export {
  type ConvOptions,
  type ConvTransposeOptions,
  conv1d,
  conv2d,
  convTranspose1d,
  convTranspose2d,
  type Pair,
} from './ops/conv.js';
export { cast, clone, contiguous } from './ops/copy.js';
export {
  type ArangeOptions,
  arange,
  eye,
  full,
  linspace,
  ones,
  onesLike,
  type TensorData,
  type TensorOptions,
  tensor,
  zeros,
  zerosLike,
} from './ops/create.js';
export { type DropoutOptions, dropout } from './ops/dropout.js';
export { type EmbeddingOptions, embedding } from './ops/embedding.js';
export { gather, indexAdd, indexSelect, oneHot, scatterAdd, take } from './ops/indexing.js';
export { concat, stack } from './ops/join.js';
export { type LinearFunctionOptions, linear } from './ops/linear.js';
export type { LinearActivation } from './ops/linear-rows.js';
export {
  type BinaryCrossEntropyOptions,
  binaryCrossEntropyWithLogits,
  type ClassLossOptions,
  type CrossEntropyOptions,
  crossEntropy,
  type LossOptions,
  l1Loss,
  mseLoss,
  nllLoss,
  type Reduction,
} from './ops/loss.js';
export type { Indices } from './ops/make/indices.js';
export { bmm, dot, matmul, mm, mv, outer } from './ops/matmul.js';
export type { ProductOptions } from './ops/matmul-rows.js';
export {
  type BatchNormOptions,
  batchNorm,
  groupNorm,
  type ItemNormOptions,
  instanceNorm,
  layerNorm,
  rmsNorm,
} from './ops/norm.js';
export { type PadOptions, pad, repeat, repeatInterleave, tile } from './ops/pad.js';
export {
  type AvgPoolOptions,
  adaptiveAvgPool2d,
  avgPool2d,
  type MaxPoolOptions,
  maxPool2d,
  maxPool2dWithIndices,
} from './ops/pool.js';
export {
  type BernoulliOptions,
  bernoulli,
  normal,
  permutation,
  type RandomOptions,
  rand,
  randint,
  randn,
  uniform,
} from './ops/random.js';
export { all, any, max, mean, min, prod, type SumOptions, sum } from './ops/reduce.js';
export { cumsum } from './ops/scan.js';
export { logSoftmax, logSumExp, softmax } from './ops/softmax.js';
export { chunk, split, unbind } from './ops/split.js';
export { type NormOptions, norm, std, type VarianceOptions, variance } from './ops/statistics.js';
export { to } from './ops/to.js';
export { tril, triu } from './ops/triangle.js';
export {
  abs,
  ceil,
  cos,
  erf,
  exp,
  exp2,
  expm1,
  floor,
  log,
  log1p,
  log2,
  log10,
  neg,
  reciprocal,
  round,
  rsqrt,
  sign,
  sin,
  sqrt,
  square,
  tan,
  trunc,
} from './ops/unary.js';
export {
  expand,
  flatten,
  flip,
  narrow,
  permute,
  type Range,
  reshape,
  select,
  slice,
  squeeze,
  transpose,
  unsqueeze,
  view,
} from './ops/view.js';
export { type ClampOptions, clamp, maskedFill, where } from './ops/where.js';
export * as optim from './optim/index.js';
export { defaultGenerator, Generator, type GeneratorState, manualSeed } from './random.js';
export { synchronize } from './read.js';
export {
  type EngineInfo,
  type Float32Precision,
  getFloat32Precision,
  getNumThreads,
  info,
  setFloat32Precision,
  setNumThreads,
} from './runtime.js';
export type { Shape } from './shape.js';
export { type NestedArray, Tensor } from './tensor.js';

import './ops/methods.js';
import './complete.js';
