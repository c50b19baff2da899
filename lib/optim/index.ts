// Optimizers, learning rate schedules, gradient clipping.
export { Adagrad, type AdagradOptions } from './adagrad.js';
export { Adam, type AdamOptions, AdamW } from './adam.js';
export { type ClipGradNormOptions, type Clippable, clipGradNorm_, clipGradValue_ } from './clip.js';
export { OneCycleLR, type OneCycleOptions } from './onecycle.js';
export {
  type AnyOptimizer,
  type GroupOptions,
  type Hyperparameters,
  type Learnable,
  Optimizer,
  type ParamGroup,
  type ParamState,
} from './optimizer.js';
export { type PlateauOptions, type PlateauState, ReduceLROnPlateau } from './plateau.js';
export { RMSprop, type RMSpropOptions } from './rmsprop.js';
export {
  CosineAnnealingLR,
  ExponentialLR,
  LambdaLR,
  LinearLR,
  type LinearLROptions,
  LRScheduler,
  type LrLambda,
  MultiStepLR,
  type ScheduleState,
  SequentialLR,
  StepLR,
} from './schedule.js';
export { SGD, type SGDOptions } from './sgd.js';
export type { OptimizerState, SavedGroup } from './state.js';
