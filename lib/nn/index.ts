// Layers, losses and initialisation: the namespace `nn`.
export { Flatten, Identity, ModuleList, Sequential } from './containers.js';
export { type AnyModule, Module } from './module.js';
export { Buffer, buffer, Parameter, parameter } from './parameter.js';
export type { LoadReport, StateDict } from './state.js';
