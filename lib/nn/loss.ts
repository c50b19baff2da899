// Losses as modules; the functions of the same names compute them and say what shapes they take.
import {
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
} from '../ops/loss.js';
import type { Tensor } from '../tensor.js';
import { checkName, checkNumber, checkOptions, checkWhole } from './check.js';
import { formatArguments } from './format.js';
import { Module } from './module.js';
import { type Buffer, buffer } from './parameter.js';

const reductions: readonly Reduction[] = ['mean', 'sum', 'none'];

const bufferOf = (t: Tensor | null | undefined): Buffer | null => (t === null || t === undefined ? null : buffer(t));

/** What losses have in common: two inputs, and how the single losses become one. */
abstract class Loss extends Module<[input: Tensor, target: Tensor]> {
  /** "mean" (default) or "sum" of the single losses, or "none": all of them. */
  readonly reduction: Reduction;

  /** @internal */
  constructor(options: LossOptions, known: readonly string[]) {
    super();
    checkOptions<object>(new.target.name, options, [...known, 'reduction'] as never);
    this.reduction = checkName(new.target.name, 'reduction', options.reduction ?? 'mean', reductions);
  }

  override extraRepr(): string {
    return formatArguments([], { reduction: this.reduction }, { reduction: 'mean' });
  }
}

abstract class ClassLoss extends Loss {
  /** [classes]: how much each counts, or null. */
  readonly weight: Buffer | null;
  /** Positions with this label count nothing. */
  readonly ignoreIndex: number;

  /** @internal */
  constructor(options: ClassLossOptions, known: readonly string[]) {
    super(options, [...known, 'weight', 'ignoreIndex']);
    this.weight = bufferOf(options.weight);
    this.ignoreIndex = checkWhole(new.target.name, 'ignoreIndex', options.ignoreIndex ?? -100);
  }
}

/**
 * The cross entropy of scores [N, classes, ...] with labels [N, ...] (or probabilities in the shape of the scores): the
 * mean of -log softmax(scores)[label]. See the function crossEntropy.
 */
export class CrossEntropyLoss extends ClassLoss {
  readonly labelSmoothing: number;

  /** Throws on an unknown reduction, labelSmoothing outside of [0, 1], and unknown options. */
  constructor(options: CrossEntropyOptions = {}) {
    super(options, ['labelSmoothing']);
    this.labelSmoothing = checkNumber('CrossEntropyLoss', 'labelSmoothing', options.labelSmoothing ?? 0, 0, 1);
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const { reduction, weight, ignoreIndex, labelSmoothing } = this;
    return crossEntropy(input, target, { reduction, weight, ignoreIndex, labelSmoothing });
  }

  override extraRepr(): string {
    const { reduction, labelSmoothing } = this;
    return formatArguments([], { reduction, labelSmoothing }, { reduction: 'mean', labelSmoothing: 0 });
  }
}

/**
 * The negative log-likelihood of log-probabilities x [N, classes, ...] and labels [N, ...]: the mean of -x[label]. See
 * the function nllLoss.
 */
export class NLLLoss extends ClassLoss {
  /** Throws on an unknown reduction, and on unknown options. */
  constructor(options: ClassLossOptions = {}) {
    super(options, []);
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const { reduction, weight, ignoreIndex } = this;
    return nllLoss(input, target, { reduction, weight, ignoreIndex });
  }
}

/** The mean of (input - target)², of tensors of one shape. See the function mseLoss. */
export class MSELoss extends Loss {
  /** Throws on an unknown reduction, and on unknown options. */
  constructor(options: LossOptions = {}) {
    super(options, []);
  }

  forward(input: Tensor, target: Tensor): Tensor {
    return mseLoss(input, target, { reduction: this.reduction });
  }
}

/** The mean of |input - target|, of tensors of one shape. See the function l1Loss. */
export class L1Loss extends Loss {
  /** Throws on an unknown reduction, and on unknown options. */
  constructor(options: LossOptions = {}) {
    super(options, []);
  }

  forward(input: Tensor, target: Tensor): Tensor {
    return l1Loss(input, target, { reduction: this.reduction });
  }
}

/**
 * The binary cross entropy of sigmoid(input) with targets in [0, 1], elementwise, computed without overflow and
 * averaged. See the function binaryCrossEntropyWithLogits.
 */
export class BCEWithLogitsLoss extends Loss {
  /** Factors for the losses, or null. */
  readonly weight: Buffer | null;
  /** Factors for what positive targets contribute, or null. */
  readonly posWeight: Buffer | null;

  /** Throws on an unknown reduction, and on unknown options. */
  constructor(options: BinaryCrossEntropyOptions = {}) {
    super(options, ['weight', 'posWeight']);
    this.weight = bufferOf(options.weight);
    this.posWeight = bufferOf(options.posWeight);
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const { reduction, weight, posWeight } = this;
    return binaryCrossEntropyWithLogits(input, target, { reduction, weight, posWeight });
  }
}
