import { dropout } from '../ops/dropout.js';
import type { Generator } from '../random.js';
import type { Tensor } from '../tensor.js';
import { checkNumber, checkOptions } from './check.js';
import { formatArguments } from './format.js';
import { Module } from './module.js';

/**
 * Sets each element to 0 with probability `p` and multiplies the others by 1 / (1 - p), so that the mean stays, while
 * training; the input as it is otherwise. Srivastava et al., "Dropout: a simple way to prevent neural networks from
 * overfitting", 2014.
 */
export class Dropout extends Module {
  readonly #generator: Generator | undefined;

  /** Throws unless `p` is in [0, 1]. `generator`: default the default generator, which manualSeed() seeds. */
  constructor(
    readonly p: number = 0.5,
    options: { readonly generator?: Generator } = {},
  ) {
    super();
    checkOptions('Dropout', options, ['generator']);
    checkNumber('Dropout', 'p', p, 0, 1);
    this.#generator = options.generator;
  }

  forward(x: Tensor): Tensor {
    return dropout(x, { p: this.p, training: this.training, generator: this.#generator });
  }

  override extraRepr(): string {
    return formatArguments([this.p]);
  }
}
