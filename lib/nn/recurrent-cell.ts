// One step of a recurrent layer, for loops that a layer cannot express.
import { fail, show } from '../errors.js';
import { linear } from '../ops/linear.js';
import { gruSteps } from '../ops/recurrent-gru.js';
import { lstmSteps } from '../ops/recurrent-lstm.js';
import { type Nonlinearity, rnnSteps } from '../ops/recurrent-rnn.js';
import type { Tensor } from '../tensor.js';
import { checkCount, checkFlag, checkName, checkOptions } from './check.js';
import { formatArguments } from './format.js';
import type { InitOptions } from './init.js';
import { type LayerOptions, layerOptions } from './layer.js';
import { Module } from './module.js';
import type { Parameter } from './parameter.js';
import { shareOf } from './recurrent.js';
import { checkInput, checkState, newCell, resetRecurrent } from './recurrent-base.js';

/** Options of {@link LSTMCell} and {@link GRUCell}. */
export interface RecurrentCellOptions extends LayerOptions {
  /** Whether something is added to the products. Default true. */
  readonly bias?: boolean;
}

/** Options of {@link RNNCell}. */
export interface RNNCellOptions extends RecurrentCellOptions {
  /** Default "tanh". */
  readonly nonlinearity?: Nonlinearity;
}

const forward = { reverse: false };

abstract class Cell<State> extends Module<[x: Tensor, state?: State | null], State> {
  /** [gates hiddenSize, inputSize] */
  readonly weightIh: Parameter;
  /** [gates hiddenSize, hiddenSize] */
  readonly weightHh: Parameter;
  /** [gates hiddenSize], or null. */
  readonly biasIh: Parameter | null;
  /** [gates hiddenSize], or null. */
  readonly biasHh: Parameter | null;

  /** Throws on sizes that are not positive whole numbers, and on unknown or wrong options. */
  constructor(
    readonly inputSize: number,
    readonly hiddenSize: number,
    options: RecurrentCellOptions,
    gates: number,
    known: readonly string[] = [],
  ) {
    super();
    const { name } = new.target;
    checkOptions(name, options, ['bias', ...layerOptions, ...known] as never);
    checkCount(name, 'inputSize', inputSize);
    checkCount(name, 'hiddenSize', hiddenSize);
    const bias = checkFlag(name, 'bias', options.bias ?? true);
    const cell = newCell(name, [inputSize, hiddenSize, gates], bias, options);
    this.weightIh = cell.weightIh;
    this.weightHh = cell.weightHh;
    this.biasIh = cell.biasIh;
    this.biasHh = cell.biasHh;
    this.resetParameters({ generator: options.generator });
  }

  /** Draws all parameters anew, uniformly in ±1/√hiddenSize. */
  resetParameters(options: InitOptions = {}): void {
    resetRecurrent(this.parameters(), this.hiddenSize, options);
  }

  /** @internal x as a sequence of one step, states as [N, hidden] or 0, and how to undo that. */
  protected begin(x: Tensor, names: readonly string[], states: readonly Tensor[] | null) {
    const { name } = this.constructor;
    const { inputSize, hiddenSize } = this;
    const fits = (x?.ndim === 1 || x?.ndim === 2) && x.shape[x.ndim - 1] === inputSize;
    checkInput(name, x, this.weightIh, fits, `[N, ${inputSize}] or [${inputSize}]`);
    const single = x.ndim === 1;
    const shape = single ? [hiddenSize] : [x.shape[0], hiddenSize];
    const given = names.map((what, i) => {
      if (states === null) return 0;
      const state = checkState(name, what, states[i], shape, x);
      return single ? state.unsqueeze(0) : state;
    });
    const step = (single ? x.unsqueeze(0) : x).unsqueeze(0);
    return { step, given, end: (out: Tensor) => (single ? out.reshape([hiddenSize]) : out.select(0, 0)) };
  }

  override extraRepr(): string {
    return formatArguments([this.inputSize, this.hiddenSize], { bias: this.biasIh !== null }, { bias: true });
  }
}

/** One step of {@link RNN}: x [N, inputSize] or [inputSize], h (default zeros) and the new h [N, hiddenSize]. */
export class RNNCell extends Cell<Tensor> {
  readonly nonlinearity: Nonlinearity;

  constructor(inputSize: number, hiddenSize: number, options: RNNCellOptions = {}) {
    super(inputSize, hiddenSize, options, 1, ['nonlinearity']);
    this.nonlinearity = checkName('RNNCell', 'nonlinearity', options.nonlinearity ?? 'tanh', ['tanh', 'relu']);
  }

  forward(x: Tensor, h?: Tensor | null): Tensor {
    const { step, given, end } = this.begin(x, ['h'], h === undefined || h === null ? null : [h]);
    const { nonlinearity } = this;
    return end(rnnSteps(shareOf(step, this), this.weightHh, given[0], { ...forward, nonlinearity }));
  }
}

/** One step of {@link LSTM}: x [N, inputSize] or [inputSize], [h, c] (default zeros) and the new [h, c]. */
export class LSTMCell extends Cell<readonly [h: Tensor, c: Tensor]> {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentCellOptions = {}) {
    super(inputSize, hiddenSize, options, 4);
  }

  forward(x: Tensor, state: readonly [h: Tensor, c: Tensor] | null = null): readonly [h: Tensor, c: Tensor] {
    if (state !== null && (!Array.isArray(state) || state.length !== 2)) {
      fail('LSTMCell', 'the state must be [h, c]', show(state));
    }
    const { step, given, end } = this.begin(x, ['h', 'c'], state);
    const [h, c] = lstmSteps(shareOf(step, this), this.weightHh, given[0], given[1], forward);
    return [end(h), end(c)];
  }
}

/** One step of {@link GRU}: x [N, inputSize] or [inputSize], h (default zeros) and the new h [N, hiddenSize]. */
export class GRUCell extends Cell<Tensor> {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentCellOptions = {}) {
    super(inputSize, hiddenSize, options, 3);
  }

  forward(x: Tensor, h?: Tensor | null): Tensor {
    const { step, given, end } = this.begin(x, ['h'], h === undefined || h === null ? null : [h]);
    const { weightIh, biasIh, weightHh, biasHh } = this;
    return end(gruSteps(linear(step, weightIh, biasIh), weightHh, biasHh ?? 0, given[0], forward));
  }
}
