import { arange, nn, type Tensor } from 'athanor';

/** A model that scores the next character at every place: [N, T] to [N, T, symbols]. */
export interface CharModel extends nn.Module {
  /** The most characters that it looks back over; undefined: any number. */
  readonly context?: number;
}

/** Two layers of long short-term memory over embedded characters. */
export class CharLstm extends nn.Module implements CharModel {
  embedding: nn.Embedding;
  lstm: nn.LSTM;
  out: nn.Linear;

  constructor(symbols: number, width: number) {
    super();
    this.embedding = new nn.Embedding(symbols, width / 2);
    this.lstm = new nn.LSTM(width / 2, width, { numLayers: 2, batchFirst: true });
    this.out = new nn.Linear(width, symbols);
  }

  forward(x: Tensor): Tensor {
    const [output] = this.lstm.forward(this.embedding.forward(x));
    return this.out.forward(output);
  }
}

/** A small GPT-2: Radford et al., "Language models are unsupervised multitask learners", 2019. */
export class Gpt extends nn.Module implements CharModel {
  tokens: nn.Embedding;
  positions: nn.Embedding;
  blocks: nn.TransformerEncoderLayer[];
  norm: nn.LayerNorm;
  head: nn.Linear;

  constructor(
    symbols: number,
    width: number,
    readonly context: number,
    layers = 4,
  ) {
    super();
    this.tokens = new nn.Embedding(symbols, width);
    this.positions = new nn.Embedding(context, width);
    this.blocks = Array.from(
      { length: layers },
      () =>
        new nn.TransformerEncoderLayer(width, 4, {
          dimFeedforward: 4 * width,
          dropout: 0.1,
          activation: 'gelu',
          batchFirst: true,
          normFirst: true,
        }),
    );
    this.norm = new nn.LayerNorm(width);
    this.head = new nn.Linear(width, symbols, { bias: false });
    // Scores start near 0 for every symbol, so the first loss is near log(symbols).
    for (const embedding of [this.tokens, this.positions]) nn.init.normal_(embedding.weight, { std: 0.02 });
  }

  forward(x: Tensor): Tensor {
    let y = this.tokens.forward(x).add(this.positions.forward(arange(x.shape[1])));
    for (const block of this.blocks) y = block.forward(y, { isCausal: true });
    return this.head.forward(this.norm.forward(y));
  }
}
