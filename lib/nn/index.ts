// Layers, losses and initialisation: the namespace `nn`.
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
export { Flatten, Identity, ModuleList, Sequential } from './containers.js';
export { Conv1d, Conv2d, type ConvLayerOptions } from './conv.js';
export { ConvTranspose1d, ConvTranspose2d, type ConvTransposeLayerOptions } from './conv-transpose.js';
export { Dropout } from './dropout.js';
export * as init from './init.js';
export type { LayerOptions } from './layer.js';
export { Linear, type LinearOptions } from './linear.js';
export { type AnyModule, Module } from './module.js';
export { Buffer, buffer, Parameter, parameter } from './parameter.js';
export type { LoadReport, StateDict } from './state.js';
