// Generative transformers: a small one that a processor trains in time, and GPT-2 of 124 million parameters.
import { arange, linear, nn, optim, randint, type Tensor } from 'athanor';
import * as flops from './flops.js';
import type { Job } from './job.js';
import { training } from './run.js';

/** The sizes of one. */
interface Sizes {
  readonly symbols: number;
  readonly width: number;
  readonly heads: number;
  readonly layers: number;
  readonly steps: number;
  readonly batch: number;
}

/** Deviation of the first embeddings where they make the scores as well: those would start as large as the width else. */
const tiedDeviation = 0.02;

/** Symbols [N, T] to scores of the next ones, [N T, symbols]; GPT-2's are made with the embeddings themselves. */
class Gpt extends nn.Module {
  tokens: nn.Embedding;
  positions: nn.Embedding;
  blocks: nn.TransformerEncoderLayer[];
  norm: nn.LayerNorm;
  head: nn.Linear | null;

  constructor({ symbols, width, heads, layers, steps }: Sizes, tied: boolean) {
    super();
    this.tokens = new nn.Embedding(symbols, width);
    this.positions = new nn.Embedding(steps, width);
    this.blocks = Array.from({ length: layers }, () => {
      const options = { dimFeedforward: 4 * width, dropout: 0, activation: 'gelu', batchFirst: true, normFirst: true };
      return new nn.TransformerEncoderLayer(width, heads, options as nn.TransformerEncoderLayerOptions);
    });
    this.norm = new nn.LayerNorm(width);
    this.head = tied ? null : new nn.Linear(width, symbols, { bias: false });
    if (tied) for (const { weight } of [this.tokens, this.positions]) nn.init.normal_(weight, { std: tiedDeviation });
  }

  forward(x: Tensor): Tensor {
    let y = this.tokens.forward(x).add(this.positions.forward(arange(x.shape[1])));
    for (const block of this.blocks) y = block.forward(y, { isCausal: true });
    y = this.norm.forward(y);
    return (this.head === null ? linear(y, this.tokens.weight) : this.head.forward(y)).flatten(0, 1);
  }
}

/** Of one block: the projections, scores and values (both whole, as most libraries compute them), the perceptron. */
function block({ width, steps, batch }: Sizes): number[] {
  const rows = steps * batch;
  return [
    flops.linear(rows, width, 3 * width),
    2 * flops.linear(rows, width, steps),
    flops.linear(rows, width, width),
    flops.linear(rows, width, 4 * width),
    flops.linear(rows, 4 * width, width),
  ];
}

/** The training step of one of these sizes. */
function train(name: string, work: string, sizes: Sizes, tied: boolean, lr: number): Job {
  const { symbols, width, heads, layers, steps, batch } = sizes;
  const rows = steps * batch;
  const head = flops.linear(rows, width, symbols);
  return {
    name,
    work,
    kind: 'train',
    batch,
    heads,
    // The first product's input is the embedding, which is learnt: nothing is left out.
    flops: flops.training([0, ...Array.from({ length: layers }, () => block(sizes)).flat(), head]),
    items: { count: rows, unit: 'tokens' },
    build: () =>
      training(
        () => new Gpt(sizes, tied),
        (model) => new optim.AdamW(model.parameters(), { lr }),
        () => ({ x: randint(0, symbols, [batch, steps]), target: randint(0, symbols, [rows]) }),
      ),
  };
}

/** The training step of a small GPT. */
export const trainGpt = train(
  'train GPT 4 layers, 128 wide, T 64, batch 12, AdamW',
  'gpt',
  { symbols: 65, width: 128, heads: 4, layers: 4, steps: 64, batch: 12 },
  false,
  0.001,
);

/** The training step of GPT-2, and the same on a processor in seconds: few symbols, two layers. */
export const trainGpt2: Job = {
  ...train(
    'train GPT-2 124M, T 1024, batch 8, AdamW',
    'gpt2',
    { symbols: 50257, width: 768, heads: 12, layers: 12, steps: 1024, batch: 8 },
    true,
    0.0003,
  ),
  gpu: true,
  small: train(
    'train GPT-2 in small: 2 layers, 48 wide, T 32, batch 2, AdamW',
    'gpt2',
    { symbols: 97, width: 48, heads: 3, layers: 2, steps: 32, batch: 2 },
    true,
    0.0003,
  ),
};
