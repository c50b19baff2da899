// Layers, losses and initialisation: the namespace `nn`.

export type { StateDict } from '../named.js';
export {
  ELU,
  GELU,
  LeakyReLU,
  LogSoftmax,
  ReLU,
  Sigmoid,
  SiLU,
  Softmax,
  Softplus,
  Tanh,
} from './activations.js';
export { type AttendOptions, MultiheadAttention, type MultiheadAttentionOptions } from './attention.js';
export { Flatten, Identity, ModuleList, Sequential } from './containers.js';
export { Conv1d, Conv2d, type Conv2dFollowing, type ConvLayerOptions } from './conv.js';
export { ConvTranspose1d, ConvTranspose2d, type ConvTransposeLayerOptions } from './conv-transpose.js';
export { Dropout } from './dropout.js';
export { Embedding, type EmbeddingOptions } from './embedding.js';
export { foldBatchNorm, prepareInference } from './fuse.js';
export type { ForwardHook, ForwardPreHook, HookHandle } from './hooks.js';
export * as init from './init.js';
export type { LayerOptions } from './layer.js';
export { Linear, type LinearOptions } from './linear.js';
export { BCEWithLogitsLoss, CrossEntropyLoss, L1Loss, MSELoss, NLLLoss } from './loss.js';
export { type AnyModule, Module } from './module.js';
export {
  BatchNorm1d,
  BatchNorm2d,
  type BatchNormFollowing,
  type BatchNormOptions,
  LayerNorm,
  type LayerNormOptions,
  RMSNorm,
  type RMSNormOptions,
} from './norm.js';
export { GroupNorm, type GroupNormOptions, InstanceNorm1d, InstanceNorm2d } from './norm-groups.js';
export { Buffer, buffer, Parameter, parameter } from './parameter.js';
export { AdaptiveAvgPool2d, AvgPool2d, MaxPool2d } from './pooling.js';
export {
  GRU,
  LSTM,
  RNN,
  type RNNOptions,
} from './recurrent.js';
export type { RecurrentOptions } from './recurrent-base.js';
export { GRUCell, LSTMCell, type RecurrentCellOptions, RNNCell, type RNNCellOptions } from './recurrent-cell.js';
export type { LoadReport } from './state.js';
export {
  type EncodeOptions,
  TransformerEncoderLayer,
  type TransformerEncoderLayerOptions,
} from './transformer.js';
