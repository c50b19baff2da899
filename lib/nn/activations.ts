// Activations as modules, for use in a Sequential; the functions of the same names compute them.
import { elu, type GeluOptions, gelu, leakyRelu, relu, sigmoid, silu, softplus, tanh } from '../ops/activation.js';
import { logSoftmax, softmax } from '../ops/softmax.js';
import type { Tensor } from '../tensor.js';
import { checkName, checkNumber, checkOptions, checkWhole } from './check.js';
import { formatArguments } from './format.js';
import { Module } from './module.js';

/** The rectifier max(x, 0), elementwise. */
export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return relu(x);
  }
}

/** x where it is positive, else negativeSlope x, elementwise. */
export class LeakyReLU extends Module {
  readonly negativeSlope: number;

  /** `negativeSlope`: default 0.01. Throws when it is not a number. */
  constructor(options: { readonly negativeSlope?: number } = {}) {
    super();
    checkOptions('LeakyReLU', options, ['negativeSlope']);
    this.negativeSlope = checkNumber('LeakyReLU', 'negativeSlope', options.negativeSlope ?? 0.01);
  }

  forward(x: Tensor): Tensor {
    return leakyRelu(x, { negativeSlope: this.negativeSlope });
  }

  override extraRepr(): string {
    return formatArguments([], { negativeSlope: this.negativeSlope }, { negativeSlope: 0.01 });
  }
}

/** The exponential linear unit: x where it is positive, else alpha (eˣ - 1), elementwise. */
export class ELU extends Module {
  readonly alpha: number;

  /** `alpha`: default 1. Throws when it is not a number. */
  constructor(options: { readonly alpha?: number } = {}) {
    super();
    checkOptions('ELU', options, ['alpha']);
    this.alpha = checkNumber('ELU', 'alpha', options.alpha ?? 1);
  }

  forward(x: Tensor): Tensor {
    return elu(x, { alpha: this.alpha });
  }

  override extraRepr(): string {
    return formatArguments([], { alpha: this.alpha }, { alpha: 1 });
  }
}

/** The Gaussian error linear unit: x times the chance that a standard normal number is below x, elementwise. */
export class GELU extends Module {
  readonly approximate: 'none' | 'tanh';

  /** `approximate`: "none" (default) is exact, "tanh" the usual approximation. Throws for anything else. */
  constructor(options: GeluOptions = {}) {
    super();
    checkOptions('GELU', options, ['approximate']);
    this.approximate = checkName('GELU', 'approximate', options.approximate ?? 'none', ['none', 'tanh']);
  }

  forward(x: Tensor): Tensor {
    return gelu(x, { approximate: this.approximate });
  }

  override extraRepr(): string {
    return formatArguments([], { approximate: this.approximate }, { approximate: 'none' });
  }
}

/** The sigmoid linear unit x / (1 + e⁻ˣ), elementwise; also known as swish. */
export class SiLU extends Module {
  forward(x: Tensor): Tensor {
    return silu(x);
  }
}

/** The logistic function 1 / (1 + e⁻ˣ), elementwise. */
export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}

/** The hyperbolic tangent, elementwise. */
export class Tanh extends Module {
  forward(x: Tensor): Tensor {
    return tanh(x);
  }
}

/** log(1 + e^(beta x)) / beta, elementwise: a smooth rectifier. */
export class Softplus extends Module {
  readonly beta: number;

  /** `beta`: default 1. Throws when it is not above 0. */
  constructor(options: { readonly beta?: number } = {}) {
    super();
    checkOptions('Softplus', options, ['beta']);
    this.beta = checkNumber('Softplus', 'beta', options.beta ?? 1, Number.MIN_VALUE);
  }

  forward(x: Tensor): Tensor {
    return softplus(x, { beta: this.beta });
  }

  override extraRepr(): string {
    return formatArguments([], { beta: this.beta }, { beta: 1 });
  }
}

/** eˣ over its sum along an axis: positive numbers that sum to 1. */
export class Softmax extends Module {
  /** `axis`: default the last. Throws when it is not a whole number. */
  constructor(readonly axis: number = -1) {
    super();
    checkWhole('Softmax', 'axis', axis);
  }

  forward(x: Tensor): Tensor {
    return softmax(x, this.axis);
  }

  override extraRepr(): string {
    return formatArguments([this.axis]);
  }
}

/** The logarithm of {@link Softmax}: x - log(sum of eˣ along an axis). */
export class LogSoftmax extends Module {
  /** `axis`: default the last. Throws when it is not a whole number. */
  constructor(readonly axis: number = -1) {
    super();
    checkWhole('LogSoftmax', 'axis', axis);
  }

  forward(x: Tensor): Tensor {
    return logSoftmax(x, this.axis);
  }

  override extraRepr(): string {
    return formatArguments([this.axis]);
  }
}
