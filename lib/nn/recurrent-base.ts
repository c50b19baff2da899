// What LSTM, GRU and RNN share: their parameters, the walk over layers and directions, and the shapes taken.
import { fail, show } from '../errors.js';
import { tidy } from '../memory.js';
import { dropout } from '../ops/dropout.js';
import { concat, stack } from '../ops/join.js';
import type { Generator } from '../random.js';
import { formatShape, type Shape, sameShape } from '../shape.js';
import { Tensor } from '../tensor.js';
import { checkCount, checkFlag, checkNumber, checkOptions, withDefaults } from './check.js';
import { formatArguments } from './format.js';
import { type InitOptions, uniform_ } from './init.js';
import { type LayerOptions, layerOptions, newParameter } from './layer.js';
import { Module } from './module.js';
import type { Parameter } from './parameter.js';

/** Options of {@link LSTM}, {@link GRU} and {@link RNN}. */
export interface RecurrentOptions extends LayerOptions {
  /** Layers, each on the output of the one below. Default 1. */
  readonly numLayers?: number;
  /** Whether something is added to the products. Default true. */
  readonly bias?: boolean;
  /** Input and output are [N, T, features] in place of [T, N, features]. Default false. */
  readonly batchFirst?: boolean;
  /** Probability with which outputs of all layers but the last are dropped while training. Default 0. */
  readonly dropout?: number;
  /** A second set of units reads each sequence from its end; outputs are side by side. Default false. */
  readonly bidirectional?: boolean;
}

const defaults = { numLayers: 1, bias: true, batchFirst: false, dropout: 0, bidirectional: false };

/** The parameters of one layer in one direction. */
export interface CellParameters {
  /** [gates hidden, input] */
  readonly weightIh: Parameter;
  /** [gates hidden, hidden] */
  readonly weightHh: Parameter;
  readonly biasIh: Parameter | null;
  readonly biasHh: Parameter | null;
}

/** Parameters as they start: everything uniform in ±1/√hidden. */
export function newCell(
  layer: string,
  [inputs, hidden, gates]: readonly [number, number, number],
  bias: boolean,
  options: LayerOptions,
): CellParameters {
  const make = (shape: Shape) => newParameter(layer, shape, options);
  return {
    weightIh: make([gates * hidden, inputs]),
    weightHh: make([gates * hidden, hidden]),
    biasIh: bias ? make([gates * hidden]) : null,
    biasHh: bias ? make([gates * hidden]) : null,
  };
}

/** Draws parameters anew, uniformly in ±1/√hidden. */
export function resetRecurrent(parameters: readonly Parameter[], hidden: number, options: InitOptions): void {
  const high = 1 / Math.sqrt(hidden);
  for (const p of parameters) uniform_(p, { low: -high, high, generator: options.generator });
}

/** Throws unless `x` is a tensor of the parameters' dtype whose last axis holds the features. */
export function checkInput(layer: string, x: Tensor, parameter: Parameter, fits: boolean, shapes: string): void {
  if (!(x instanceof Tensor)) fail(layer, 'the input must be a tensor', show(x));
  if (!fits) fail(layer, `the input must be ${shapes}`, formatShape(x.shape));
  if (x.dtype !== parameter.dtype) {
    fail(layer, `the input must be ${parameter.dtype} like the parameters`, x.describe());
  }
}

/** An initial state as the cells take it. Throws unless it has the shape. */
export function checkState(layer: string, name: string, state: Tensor, shape: Shape, like: Tensor): Tensor {
  if (!(state instanceof Tensor)) fail(layer, `${name} must be a tensor`, show(state));
  if (!sameShape(state.shape, shape)) fail(layer, `${name} must be ${formatShape(shape)}`, formatShape(state.shape));
  if (state.dtype !== like.dtype) fail(layer, `${name} must be ${like.dtype} like the input`, state.describe());
  return state;
}

const camel = (...parts: readonly string[]) =>
  parts.map((part, i) => (i === 0 ? part : part[0].toUpperCase() + part.slice(1))).join('');

/**
 * Stacked recurrent layers. `State` is what is handed from step to step. Parameters are fields by PyTorch's names in
 * camelCase: `weightIhL0` (weight_ih_l0), `biasHhL1Reverse` (bias_hh_l1_reverse).
 */
export abstract class Recurrent<State> extends Module<
  [x: Tensor, state?: State | null],
  [output: Tensor, state: State]
> {
  readonly numLayers: number;
  readonly bias: boolean;
  readonly batchFirst: boolean;
  readonly dropout: number;
  readonly bidirectional: boolean;
  readonly #generator: Generator | undefined;

  /** Throws on sizes that are not positive whole numbers, and on unknown or wrong options. */
  constructor(
    readonly inputSize: number,
    readonly hiddenSize: number,
    options: RecurrentOptions,
    gates: number,
    known: readonly string[] = [],
  ) {
    super();
    const { name } = new.target;
    checkOptions(name, options, [...Object.keys(defaults), ...layerOptions, ...known] as never);
    const { numLayers, bias, batchFirst, dropout: p, bidirectional } = withDefaults(defaults, options);
    checkCount(name, 'inputSize', inputSize);
    checkCount(name, 'hiddenSize', hiddenSize);
    this.numLayers = checkCount(name, 'numLayers', numLayers);
    this.bias = checkFlag(name, 'bias', bias);
    this.batchFirst = checkFlag(name, 'batchFirst', batchFirst);
    this.dropout = checkNumber(name, 'dropout', p, 0, 1);
    this.bidirectional = checkFlag(name, 'bidirectional', bidirectional);
    this.#generator = options.generator;
    for (let layer = 0; layer < this.numLayers; layer++) {
      const inputs = layer === 0 ? inputSize : hiddenSize * this.directions;
      for (let direction = 0; direction < this.directions; direction++) {
        const cell = newCell(name, [inputs, hiddenSize, gates], this.bias, options);
        for (const [part, parameter] of Object.entries(cell)) {
          if (parameter !== null) Object.assign(this, { [this.nameOf(part, layer, direction)]: parameter });
        }
      }
    }
    this.resetParameters({ generator: options.generator });
  }

  private get directions(): number {
    return this.bidirectional ? 2 : 1;
  }

  private nameOf(part: string, layer: number, direction: number): string {
    return camel(part, `l${layer}`, ...(direction === 1 ? ['reverse'] : []));
  }

  /** The parameters of a layer in a direction, as they are now in the fields. */
  private cell(layer: number, direction: number): CellParameters {
    const fields = this as unknown as Record<string, Parameter | undefined>;
    const part = (name: string) => fields[this.nameOf(name, layer, direction)] ?? null;
    return {
      weightIh: part('weightIh') as Parameter,
      weightHh: part('weightHh') as Parameter,
      biasIh: part('biasIh'),
      biasHh: part('biasHh'),
    };
  }

  /** Draws all parameters anew, uniformly in ±1/√hiddenSize. */
  resetParameters(options: InitOptions = {}): void {
    resetRecurrent(this.parameters(), this.hiddenSize, options);
  }

  /** @internal One layer in one direction over x [T, N, ...]: [T, N, hidden], and the state [N, hidden] at its end. */
  protected abstract steps(
    x: Tensor,
    cell: CellParameters,
    states: readonly (Tensor | 0)[],
    reverse: boolean,
  ): [output: Tensor, states: Tensor[]];

  /** @internal The tensors of a state, each [layers directions, N, hidden]. Throws for what is no state. */
  protected abstract unpack(state: State): Tensor[];
  /** @internal The opposite. */
  protected abstract pack(tensors: readonly Tensor[]): State;
  /** @internal What the tensors of a state are called. */
  protected abstract readonly stateNames: readonly string[];

  /**
   * The outputs of the last layer for every step, [T, N, directions hiddenSize], and the last state. `x` is
   * [T, N, inputSize] ([N, T, inputSize] with `batchFirst`), or one sequence [T, inputSize] whose results have no N.
   * `state`: each of its tensors [numLayers directions, N, hiddenSize]; default, as null: zeros. Throws for other shapes.
   */
  forward(x: Tensor, state?: State | null): [output: Tensor, state: State] {
    const { name } = this.constructor;
    const { inputSize, directions, numLayers, hiddenSize } = this;
    const fits = (x?.ndim === 2 || x?.ndim === 3) && x.shape[x.ndim - 1] === inputSize;
    const batch = this.batchFirst ? `[N, T, ${inputSize}]` : `[T, N, ${inputSize}]`;
    checkInput(name, x, this.cell(0, 0).weightIh, fits, `${batch} or [T, ${inputSize}]`);
    const single = x.ndim === 2;
    const axis = this.batchFirst ? 0 : 1;
    const walked = single ? x.unsqueeze(1) : this.batchFirst ? x.transpose(0, 1) : x;
    if (walked.shape[0] === 0) fail(name, 'a sequence has at least one step', formatShape(x.shape));
    const rows = walked.shape[1];
    const shape = [numLayers * directions, ...(single ? [] : [rows]), hiddenSize];
    const initial = state === undefined || state === null ? null : this.unpack(state);
    const given = initial?.map((t, i) => {
      const checked = checkState(name, this.stateNames[i], t, shape, x);
      return single ? checked.unsqueeze(1) : checked;
    });
    // What is made on the way is as large as the output many times over: it is not left to the garbage collector.
    return tidy(() => this.#walk(walked, given, { single, axis }));
  }

  /** All layers over x [T, N, ...]; `single`: the results have no N, `axis`: that of the batch. */
  #walk(
    x: Tensor,
    given: readonly Tensor[] | undefined,
    { single, axis }: { single: boolean; axis: number },
  ): [output: Tensor, state: State] {
    const { directions, numLayers } = this;
    const last: Tensor[][] = this.stateNames.map(() => []);
    // One copy, where products forward and backward would each have to gather the rows of a step from afar.
    let input = x.contiguous();
    for (let layer = 0; layer < numLayers; layer++) {
      const outputs: Tensor[] = [];
      for (let direction = 0; direction < directions; direction++) {
        const at = layer * directions + direction;
        const starts = this.stateNames.map((_, i) => given?.[i].select(0, at) ?? 0);
        const [output, ends] = this.steps(input, this.cell(layer, direction), starts, direction === 1);
        outputs.push(output);
        ends.forEach((end, i) => {
          last[i].push(end);
        });
      }
      input = outputs.length === 1 ? outputs[0] : concat(outputs, -1);
      if (this.dropout > 0 && layer < numLayers - 1) {
        input = dropout(input, { p: this.dropout, training: this.training, generator: this.#generator });
      }
    }
    const output = single ? input.squeeze(1) : axis === 0 ? input.transpose(0, 1) : input;
    const ends = last.map((list) => stack(list, 0));
    return [output, this.pack(single ? ends.map((t) => t.squeeze(1)) : ends)];
  }

  /** @internal Options beside those that all have, as they are printed, with their defaults. */
  protected moreOptions(): { readonly options: object; readonly defaults: object } {
    return { options: {}, defaults: {} };
  }

  override extraRepr(): string {
    const { numLayers, bias, batchFirst, dropout: p, bidirectional } = this;
    const more = this.moreOptions();
    const options = { numLayers, bias, batchFirst, dropout: p, bidirectional, ...more.options };
    return formatArguments([this.inputSize, this.hiddenSize], options, { ...defaults, ...more.defaults });
  }
}
