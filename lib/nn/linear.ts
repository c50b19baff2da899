import { preparedLinear } from '../ops/linear-prepared.js';
import { checkActivation, type LinearActivation } from '../ops/linear-rows.js';
import type { Tensor } from '../tensor.js';
import { checkCount, checkFlag, checkOptions } from './check.js';
import { formatArguments } from './format.js';
import { type InitOptions, kaimingUniform_, uniform_ } from './init.js';
import { type LayerOptions, layerOptions, newParameter } from './layer.js';
import { Module } from './module.js';
import type { Parameter } from './parameter.js';

/** Options of {@link Linear}. */
export interface LinearOptions extends LayerOptions {
  /** Whether something is added to the product. Default true. */
  readonly bias?: boolean;
  /** 'relu', 'sigmoid' or 'tanh' comes last, in the same pass over memory. Default null: nothing does. */
  readonly activation?: LinearActivation | null;
}

/**
 * What a weight [out, in, ...kernel] and its bias start from: both uniform in ±1/√fanIn, where fanIn is the number of
 * inputs of one output (Kaiming's bound for a leakyRelu of slope √5).
 */
export function resetAffine(weight: Parameter, bias: Parameter | null, fanIn: number, options: InitOptions): void {
  kaimingUniform_(weight, { a: Math.sqrt(5), generator: options.generator });
  if (bias === null) return;
  const high = 1 / Math.sqrt(fanIn);
  uniform_(bias, { low: -high, high, generator: options.generator });
}

/** y = activation(x Wᵀ + b): the last axis from `inFeatures` to `outFeatures`, x of shape [..., inFeatures]. */
export class Linear extends Module {
  /** [outFeatures, inFeatures] */
  readonly weight: Parameter;
  /** [outFeatures], or null. */
  readonly bias: Parameter | null;
  /** What comes last, or null. */
  readonly activation: LinearActivation | null;
  /** @internal Whether the weight is packed once and kept so: see {@link prepareInference}. */
  packs = false;

  /** Throws on sizes that are not positive whole numbers, and on unknown or wrong options. */
  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: LinearOptions = {},
  ) {
    super();
    checkOptions('Linear', options, ['bias', 'activation', ...layerOptions]);
    checkCount('Linear', 'inFeatures', inFeatures);
    checkCount('Linear', 'outFeatures', outFeatures);
    const bias = checkFlag('Linear', 'bias', options.bias ?? true);
    this.weight = newParameter('Linear', [outFeatures, inFeatures], options);
    this.bias = bias ? newParameter('Linear', [outFeatures], options) : null;
    this.activation = checkActivation('Linear', options.activation ?? null);
    this.resetParameters({ generator: options.generator });
  }

  /** Draws weight and bias anew, uniformly in ±1/√inFeatures. */
  resetParameters(options: InitOptions = {}): void {
    resetAffine(this.weight, this.bias, this.inFeatures, options);
  }

  forward(x: Tensor): Tensor {
    return preparedLinear(x, this.weight, this.bias, { activation: this.activation }, this.packs);
  }

  override extraRepr(): string {
    const options = { bias: this.bias !== null, activation: this.activation };
    return formatArguments([this.inFeatures, this.outFeatures], options, { bias: true, activation: null });
  }
}
