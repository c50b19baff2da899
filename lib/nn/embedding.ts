import { withModes } from '../context.js';
import { embedding } from '../ops/embedding.js';
import { checkInteger } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkCount, checkOptions } from './check.js';
import { formatArguments } from './format.js';
import { type InitOptions, normal_ } from './init.js';
import { type LayerOptions, layerOptions, newParameter } from './layer.js';
import { Module } from './module.js';
import type { Parameter } from './parameter.js';

/** Options of {@link Embedding}. */
export interface EmbeddingOptions extends LayerOptions {
  /** A row that starts at 0 and gets no gradient: what filled-up positions point at. Negative: from the end. Default null: none. */
  readonly paddingIdx?: number | null;
}

/** A table of vectors looked up by index: integers of shape [...] become [..., embeddingDim]. */
export class Embedding extends Module {
  /** [numEmbeddings, embeddingDim] */
  readonly weight: Parameter;
  /** The row without gradient, counted from the start, or null. */
  readonly paddingIdx: number | null;

  /** Throws on sizes that are not positive whole numbers, a row outside of the table, and unknown options. */
  constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    options: EmbeddingOptions = {},
  ) {
    super();
    checkOptions('Embedding', options, ['paddingIdx', ...layerOptions]);
    checkCount('Embedding', 'numEmbeddings', numEmbeddings);
    checkCount('Embedding', 'embeddingDim', embeddingDim);
    const { paddingIdx = null } = options;
    if (paddingIdx === null) {
      this.paddingIdx = null;
    } else {
      checkInteger('Embedding', 'paddingIdx', paddingIdx, -numEmbeddings, numEmbeddings - 1);
      this.paddingIdx = paddingIdx < 0 ? paddingIdx + numEmbeddings : paddingIdx;
    }
    this.weight = newParameter('Embedding', [numEmbeddings, embeddingDim], options);
    this.resetParameters({ generator: options.generator });
  }

  /** Draws the vectors anew from the standard normal distribution; the padding row becomes 0. */
  resetParameters(options: InitOptions = {}): void {
    normal_(this.weight, { generator: options.generator });
    const { paddingIdx } = this;
    if (paddingIdx !== null)
      withModes({ grad: false, scope: null }, () => this.weight.select(0, paddingIdx).zero_().dispose());
  }

  forward(indices: Tensor): Tensor {
    return embedding(this.weight, indices, { paddingIdx: this.paddingIdx });
  }

  override extraRepr(): string {
    return formatArguments([this.numEmbeddings, this.embeddingDim], { paddingIdx: this.paddingIdx ?? undefined });
  }
}
