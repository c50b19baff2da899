import { nn, optim, randint, type Tensor } from 'athanor';
import * as flops from './flops.js';
import type { Job } from './job.js';
import { training } from './run.js';

const symbols = 65;
const embedded = 128;
const hidden = 256;
const steps = 64;
const batch = 64;

/** Characters to scores of the next ones: [N, T] to [N T, symbols]. */
class CharLstm extends nn.Module {
  embedding = new nn.Embedding(symbols, embedded);
  lstm = new nn.LSTM(embedded, hidden, { numLayers: 2, batchFirst: true });
  out = new nn.Linear(hidden, symbols);

  forward(x: Tensor): Tensor {
    const [output] = this.lstm.forward(this.embedding.forward(x));
    return this.out.forward(output.flatten(0, 1));
  }
}

const rows = steps * batch;

/** The training step of a character model of two LSTM layers. */
export const trainLstm: Job = {
  name: 'train char-LSTM 2x256, T 64, batch 64, Adam',
  work: 'lstm',
  kind: 'train',
  batch,
  // The first product's input is the embedding, which is learnt: nothing is left out.
  flops: flops.training([
    0,
    flops.linear(rows, embedded + hidden, 4 * hidden),
    flops.linear(rows, hidden + hidden, 4 * hidden),
    flops.linear(rows, hidden, symbols),
  ]),
  build: () =>
    training(
      () => new CharLstm(),
      (model) => new optim.Adam(model.parameters(), { lr: 0.002 }),
      () => ({ x: randint(0, symbols, [batch, steps]), target: randint(0, symbols, [rows]) }),
    ),
};
