import { arange, nn, optim, randint, type Tensor } from 'athanor';
import * as flops from './flops.js';
import type { Job } from './job.js';
import { training } from './run.js';

const symbols = 65;
const width = 128;
const heads = 4;
const layers = 4;
const steps = 64;
const batch = 12;

/** GPT-2 in small: symbols [N, T] to scores of the next ones, [N T, symbols]. */
class Gpt extends nn.Module {
  tokens = new nn.Embedding(symbols, width);
  positions = new nn.Embedding(steps, width);
  blocks = Array.from({ length: layers }, () => {
    const options = { dimFeedforward: 4 * width, dropout: 0, activation: 'gelu', batchFirst: true, normFirst: true };
    return new nn.TransformerEncoderLayer(width, heads, options as nn.TransformerEncoderLayerOptions);
  });
  norm = new nn.LayerNorm(width);
  head = new nn.Linear(width, symbols, { bias: false });

  forward(x: Tensor): Tensor {
    let y = this.tokens.forward(x).add(this.positions.forward(arange(x.shape[1])));
    for (const block of this.blocks) y = block.forward(y, { isCausal: true });
    return this.head.forward(this.norm.forward(y)).flatten(0, 1);
  }
}

const rows = steps * batch;
/** Of one block: the projections, scores and values (both whole, as most libraries compute them), the perceptron. */
const block = [
  flops.linear(rows, width, 3 * width),
  2 * flops.linear(rows, width, steps),
  flops.linear(rows, width, width),
  flops.linear(rows, width, 4 * width),
  flops.linear(rows, 4 * width, width),
];

/** The training step of a small GPT. */
export const trainGpt: Job = {
  name: 'train GPT 4 layers, 128 wide, T 64, batch 12, AdamW',
  work: 'gpt',
  kind: 'train',
  batch,
  // The first product's input is the embedding, which is learnt: nothing is left out.
  flops: flops.training([0, ...Array.from({ length: layers }, () => block).flat(), flops.linear(rows, width, symbols)]),
  build: () =>
    training(
      () => new Gpt(),
      (model) => new optim.AdamW(model.parameters(), { lr: 0.001 }),
      () => ({ x: randint(0, symbols, [batch, steps]), target: randint(0, symbols, [rows]) }),
    ),
};
