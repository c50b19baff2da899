import { fail, show } from '../errors.js';
import { linear } from '../ops/linear.js';
import { gruSteps } from '../ops/recurrent-gru.js';
import { lstmSteps } from '../ops/recurrent-lstm.js';
import { type Nonlinearity, rnnSteps } from '../ops/recurrent-rnn.js';
import type { Tensor } from '../tensor.js';
import { checkName } from './check.js';
import { type CellParameters, Recurrent, type RecurrentOptions } from './recurrent-base.js';

/** Options of {@link RNN}. */
export interface RNNOptions extends RecurrentOptions {
  /** Default "tanh". */
  readonly nonlinearity?: Nonlinearity;
}

/** Where a walk ends: the step whose state it leaves. */
const endOf = (out: Tensor, reverse: boolean) => out.select(0, reverse ? 0 : -1);

/** The input's share of all steps, where the bias of the state's share can be added at once. */
export function shareOf(x: Tensor, { weightIh, biasIh, biasHh }: CellParameters): Tensor {
  return linear(x, weightIh, biasIh === null || biasHh === null ? null : biasIh.add(biasHh));
}

/** The state of a layer that has one tensor. */
function unpackOne(layer: string, state: unknown): Tensor[] {
  if (Array.isArray(state)) fail(layer, 'the state must be one tensor', show(state));
  return [state as Tensor];
}

/**
 * Elman layers: h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), or relu of that. Returns the outputs of all steps and
 * the last state. Elman, "Finding structure in time", 1990. Source: torch.nn.RNN.
 */
export class RNN extends Recurrent<Tensor> {
  readonly nonlinearity: Nonlinearity;
  protected readonly stateNames = ['h0'];

  /** Throws on sizes that are not positive whole numbers, and on unknown or wrong options. */
  constructor(inputSize: number, hiddenSize: number, options: RNNOptions = {}) {
    super(inputSize, hiddenSize, options, 1, ['nonlinearity']);
    this.nonlinearity = checkName('RNN', 'nonlinearity', options.nonlinearity ?? 'tanh', ['tanh', 'relu']);
  }

  protected steps(x: Tensor, cell: CellParameters, [h0]: (Tensor | 0)[], reverse: boolean): [Tensor, Tensor[]] {
    const { nonlinearity } = this;
    const out = rnnSteps(shareOf(x, cell), cell.weightHh, h0, { reverse, nonlinearity });
    return [out, [endOf(out, reverse)]];
  }
  protected unpack(state: Tensor): Tensor[] {
    return unpackOne('RNN', state);
  }
  protected pack([h]: readonly Tensor[]): Tensor {
    return h;
  }
  protected override moreOptions() {
    return { options: { nonlinearity: this.nonlinearity }, defaults: { nonlinearity: 'tanh' } };
  }
}

/**
 * Long short-term memory layers. With i, f, o = sigmoid and g = tanh of W_ih x_t + b_ih + W_hh h_(t-1) + b_hh:
 * c_t = f c_(t-1) + i g and h_t = o tanh(c_t). Rows of the matrices are in the order i, f, g, o. Returns the outputs of
 * all steps and the last state [h, c]. Hochreiter and Schmidhuber, 1997. Source: torch.nn.LSTM.
 */
export class LSTM extends Recurrent<readonly [h: Tensor, c: Tensor]> {
  protected readonly stateNames = ['h0', 'c0'];

  /** Throws on sizes that are not positive whole numbers, and on unknown or wrong options. */
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super(inputSize, hiddenSize, options, 4);
  }

  protected steps(x: Tensor, cell: CellParameters, [h0, c0]: (Tensor | 0)[], reverse: boolean): [Tensor, Tensor[]] {
    const [out, cells] = lstmSteps(shareOf(x, cell), cell.weightHh, h0, c0, { reverse });
    return [out, [endOf(out, reverse), endOf(cells, reverse)]];
  }
  protected unpack(state: readonly Tensor[]): Tensor[] {
    if (!Array.isArray(state) || state.length !== 2) fail('LSTM', 'the state must be [h0, c0]', show(state));
    return [...state];
  }
  protected pack([h, c]: readonly Tensor[]): readonly [Tensor, Tensor] {
    return [h, c];
  }
}

/**
 * Gated recurrent layers. With r, z = sigmoid(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), n = tanh(W_in x_t + b_in +
 * r (W_hn h_(t-1) + b_hn)): h_t = (1 - z) n + z h_(t-1). Rows of the matrices are in the order r, z, n. Returns the
 * outputs of all steps and the last state. Cho et al., 2014, with the reset after the product. Source: torch.nn.GRU.
 */
export class GRU extends Recurrent<Tensor> {
  protected readonly stateNames = ['h0'];

  /** Throws on sizes that are not positive whole numbers, and on unknown or wrong options. */
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super(inputSize, hiddenSize, options, 3);
  }

  protected steps(x: Tensor, cell: CellParameters, [h0]: (Tensor | 0)[], reverse: boolean): [Tensor, Tensor[]] {
    const out = gruSteps(linear(x, cell.weightIh, cell.biasIh), cell.weightHh, cell.biasHh ?? 0, h0, { reverse });
    return [out, [endOf(out, reverse)]];
  }
  protected unpack(state: Tensor): Tensor[] {
    return unpackOne('GRU', state);
  }
  protected pack([h]: readonly Tensor[]): Tensor {
    return h;
  }
}
