// Layers that become part of the one before them. Batch normalisation, evaluating, is a linear map of each channel.
import { withModes } from '../context.js';
import { fail, show } from '../errors.js';
import { tidy } from '../memory.js';
import type { Storage } from '../storage.js';
import { Tensor } from '../tensor.js';
import { ReLU } from './activations.js';
import { Identity } from './containers.js';
import { allModules, childrenOf } from './members.js';
import { type AnyModule, Module } from './module.js';
import { BatchNorm1d, BatchNorm2d } from './norm.js';
import { parameter } from './parameter.js';
import { type Affine, isAffine, seePairs } from './sightings.js';

type Norm = BatchNorm1d | BatchNorm2d;

const isNorm = (m: AnyModule): m is Norm => m instanceof BatchNorm1d || m instanceof BatchNorm2d;

/** Whether axis 1 of what a norm reads is the layer's channels: not of a view, nor where a layer has them elsewhere. */
const hasChannels = (layer: Affine, out: Tensor, x: Tensor) => x === out && x.ndim === layer.weight.ndim;

/** Memory that several fields of modules hold, such as a weight that two layers share. */
function sharedMemory(modules: readonly AnyModule[]): ReadonlySet<Storage> {
  const seen = new Set<Storage>();
  const shared = new Set<Storage>();
  for (const value of modules.flatMap((m) => Object.values(m))) {
    if (!(value instanceof Tensor)) continue;
    if (seen.has(value.storage)) shared.add(value.storage);
    seen.add(value.storage);
  }
  return shared;
}

/** Changes a layer to what it and the norm after it compute. */
function fold(layer: Affine, norm: Norm): void {
  const { runningMean, runningVar, weight, bias, eps } = norm;
  if (runningMean === null || runningVar === null) return;
  withModes({ grad: false }, () =>
    tidy(() => {
      const root = runningVar.add(eps).rsqrt();
      const scale = weight === null ? root : root.mul(weight);
      const { requiresGrad } = layer.weight;
      const shift = (layer.bias === null ? runningMean.neg() : layer.bias.sub(runningMean)).mul(scale);
      const added = bias === null ? shift : shift.add(bias);
      layer.weight.copy_(layer.weight.mul(scale.reshape([-1, ...layer.weight.shape.slice(1).map(() => 1)])));
      if (layer.bias === null) Object.assign(layer, { bias: parameter(added, { requiresGrad }) });
      else layer.bias.copy_(added);
    }),
  );
}

/**
 * Folds every batch norm that follows a `Conv1d`, `Conv2d` or `Linear` into that layer, for a model in evaluation mode:
 * weight' = weight γ / √(variance + eps), bias' = (bias - mean) γ / √(variance + eps) + β. What follows what is seen by
 * running the model once on the inputs given. A norm stays that has no running statistics, that reads a view of a layer's
 * output or an output whose axis 1 is not its channels, or whose layer is read elsewhere too or shares its weight. Changes the model (its state dict then has no such norms; an identity, or the norm's relu, takes
 * their place) and returns it. Throws unless the model evaluates. Source: torch.nn.utils.fusion.fuse_conv_bn_eval.
 */
export function foldBatchNorm<Inputs extends readonly unknown[], M extends Module<Inputs, unknown>>(
  model: M,
  ...inputs: Inputs
): M {
  return foldNorms('foldBatchNorm', model, inputs);
}

function foldNorms<Inputs extends readonly unknown[], M extends Module<Inputs, unknown>>(
  op: string,
  model: M,
  inputs: Inputs,
): M {
  if (!(model instanceof Module)) fail(op, 'a module was expected', show(model));
  const modules = model.modules();
  const training = modules.find((m) => m.training && isNorm(m));
  if (model.training || training !== undefined) {
    fail(op, 'statistics change while training; call eval() first', (training ?? model).constructor.name);
  }
  const shared = sharedMemory(modules);
  const foldable = ({ weight, bias }: Affine) =>
    !shared.has(weight.storage) && (bias === null || !shared.has(bias.storage));
  const pairs = seePairs(model, inputs, isNorm, hasChannels).filter(
    ([layer, norm]) => norm.runningMean !== null && foldable(layer),
  );
  for (const [layer, norm] of pairs) fold(layer, norm);
  const folded = new Map<AnyModule, AnyModule>(
    pairs.map(([, norm]) => [norm, (norm.activation === 'relu' ? new ReLU() : new Identity()).eval()]),
  );
  replaceModules(model, folded);
  return model;
}

/** Puts other modules in the places of some. */
function replaceModules(model: AnyModule, others: ReadonlyMap<AnyModule, AnyModule>): void {
  for (const [, parent] of allModules(model)) {
    for (const { value, replace } of childrenOf(parent)) {
      const other = others.get(value);
      if (other !== undefined) replace(other);
    }
  }
}

const isRelu = (m: AnyModule): m is ReLU => m.constructor === ReLU;

/**
 * Makes a model in evaluation mode as fast as it can be: folds batch norms ({@link foldBatchNorm}), lets `Conv1d`,
 * `Conv2d` and `Linear` do the `ReLU` that follows them, in the same pass over memory, and packs their weights: once, in
 * the order in which this machine's kernels read them. Packed weights take as much memory again, which `memory()` counts;
 * they are made anew after a weight was written to, and freed with it. Outputs
 * differ from the model's in rounding alone. What follows what is seen by running the model once on the inputs given;
 * models.ResNet also joins its residuals with the convolutions before them. Changes the model (the state dict then has no
 * norms, and nothing of the packed form) and returns it. Throws unless the model evaluates.
 */
export function prepareInference<Inputs extends readonly unknown[], M extends Module<Inputs, unknown>>(
  model: M,
  ...inputs: Inputs
): M {
  foldNorms('prepareInference', model, inputs);
  const pairs = seePairs(model, inputs, isRelu);
  for (const [layer] of pairs) Object.assign(layer, { activation: 'relu' });
  replaceModules(model, new Map<AnyModule, AnyModule>(pairs.map(([, relu]) => [relu, new Identity().eval()])));
  for (const layer of model.modules()) if (isAffine(layer)) layer.packs = true;
  withModes({ grad: false }, () => tidy(() => void model.forward(...inputs))); // what is packed now need not be later
  return model;
}
