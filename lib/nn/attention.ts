import { fail, show } from '../errors.js';
import { additiveMask, attentionWeights, packedAttention, scaledDotProductAttention } from '../ops/attention.js';
import { dropout } from '../ops/dropout.js';
import { linear } from '../ops/linear.js';
import { matmul } from '../ops/matmul.js';
import { split } from '../ops/split.js';
import type { Generator } from '../random.js';
import { formatShape } from '../shape.js';
import { Tensor } from '../tensor.js';
import { checkCount, checkFlag, checkNumber, checkOptions, withDefaults } from './check.js';
import { formatArguments } from './format.js';
import { type InitOptions, xavierUniform_, zeros_ } from './init.js';
import { type LayerOptions, layerOptions, newParameter } from './layer.js';
import { Linear } from './linear.js';
import { Module } from './module.js';
import type { Parameter } from './parameter.js';

/** Options of {@link MultiheadAttention}. */
export interface MultiheadAttentionOptions extends LayerOptions {
  /** Probability with which a weight is dropped while training. Default 0. */
  readonly dropout?: number;
  /** Whether something is added to the projections. Default true. */
  readonly bias?: boolean;
  /** Inputs and output are [N, T, embedDim] in place of [T, N, embedDim]. Default false. */
  readonly batchFirst?: boolean;
}

/** How one call of {@link MultiheadAttention} attends. Here, as in PyTorch, `true` in a bool mask means: not seen. */
export interface AttendOptions {
  /** [N, S] ([S] without a batch): keys that nobody sees (true), or numbers added to their scores. */
  readonly keyPaddingMask?: Tensor | null;
  /** [L, S] or [N numHeads, L, S]: pairs that do not see each other (true), or numbers added to the scores. */
  readonly attnMask?: Tensor | null;
  /** A query sees only keys up to its own place. Default false. */
  readonly isCausal?: boolean;
  /** Whether weights are returned, which costs the whole matrix of them. Default true. */
  readonly needWeights?: boolean;
  /** Whether returned weights are the mean over the heads. Default true. */
  readonly averageAttnWeights?: boolean;
}

const defaults = { dropout: 0, bias: true, batchFirst: false };
const callDefaults = {
  keyPaddingMask: null,
  attnMask: null,
  isCausal: false,
  needWeights: true,
  averageAttnWeights: true,
};

/**
 * Attention of several heads: queries, keys and values are projected to `embedDim` numbers each, cut into `numHeads`
 * heads, each attends with softmax(q kᵀ / √headDim) v, and what comes out is projected once more. Returns
 * [output, weights]: weights [N, L, S], or null unless they are needed. Vaswani et al., "Attention is all you need",
 * 2017. Source: torch.nn.MultiheadAttention.
 */
export class MultiheadAttention extends Module<
  [query: Tensor, key: Tensor, value: Tensor, options?: AttendOptions],
  [output: Tensor, weights: Tensor | null]
> {
  readonly dropout: number;
  readonly batchFirst: boolean;
  /** [3 embedDim, embedDim]: those of queries, keys and values. */
  readonly inProjWeight: Parameter;
  /** [3 embedDim], or null. */
  readonly inProjBias: Parameter | null;
  readonly outProj: Linear;
  readonly #generator: Generator | undefined;

  /** Throws unless `embedDim` is a multiple of `numHeads`, and on unknown or wrong options. */
  constructor(
    readonly embedDim: number,
    readonly numHeads: number,
    options: MultiheadAttentionOptions = {},
  ) {
    super();
    const name = 'MultiheadAttention';
    checkOptions(name, options, ['dropout', 'bias', 'batchFirst', ...layerOptions]);
    checkCount(name, 'embedDim', embedDim);
    checkCount(name, 'numHeads', numHeads);
    if (embedDim % numHeads !== 0) {
      fail(name, 'embedDim must be a multiple of numHeads', `${embedDim} and ${numHeads}`);
    }
    const { dropout: p, bias, batchFirst } = withDefaults(defaults, options);
    this.dropout = checkNumber(name, 'dropout', p, 0, 1);
    this.batchFirst = checkFlag(name, 'batchFirst', batchFirst);
    const { dtype, device, generator } = options;
    this.inProjWeight = newParameter(name, [3 * embedDim, embedDim], options);
    this.inProjBias = checkFlag(name, 'bias', bias) ? newParameter(name, [3 * embedDim], options) : null;
    this.outProj = new Linear(embedDim, embedDim, { bias, dtype, device, generator });
    this.#generator = generator;
    this.resetParameters({ generator });
  }

  /** Draws the projections anew: inputs uniformly by Glorot's bound, all biases 0. */
  resetParameters(options: InitOptions = {}): void {
    xavierUniform_(this.inProjWeight, { generator: options.generator });
    if (this.inProjBias !== null) zeros_(this.inProjBias);
    this.outProj.resetParameters(options);
    if (this.outProj.bias !== null) zeros_(this.outProj.bias);
  }

  /** Throws unless the inputs fit together; returns them as [N, T, embedDim]. */
  private batched(inputs: readonly Tensor[]): Tensor[] {
    const name = 'MultiheadAttention';
    for (const x of inputs) if (!(x instanceof Tensor)) fail(name, 'inputs must be tensors', show(x));
    const [query, key, value] = inputs;
    const given = inputs.map((x) => formatShape(x.shape)).join(', ');
    const { embedDim, batchFirst } = this;
    const ranked = (query.ndim === 2 || query.ndim === 3) && inputs.every((x) => x.ndim === query.ndim);
    if (!ranked || inputs.some((x) => x.shape[x.ndim - 1] !== embedDim)) {
      const shape = batchFirst ? `[N, T, ${embedDim}]` : `[T, N, ${embedDim}]`;
      fail(name, `inputs must be ${shape} or [T, ${embedDim}]`, given);
    }
    const turned = inputs.map((x) => (x.ndim === 2 ? x.unsqueeze(0) : batchFirst ? x : x.transpose(0, 1)));
    const [q, k, v] = turned.map((x) => x.shape);
    if (k[0] !== q[0] || v[0] !== q[0] || k[1] !== v[1]) {
      fail(name, 'inputs must agree in batch, key and value in length', given);
    }
    for (const x of inputs) {
      if (x.dtype !== this.inProjWeight.dtype) {
        fail(name, `inputs must be ${this.inProjWeight.dtype} like the parameters`, x.describe());
      }
    }
    return key === query && value === query ? [turned[0], turned[0], turned[0]] : turned;
  }

  /** The masks of a call as numbers added to scores, [N, H, L, S] or what broadcasts to it; null when there is none. */
  private mask(options: AttendOptions, N: number, L: number, S: number): Tensor | null {
    const name = 'MultiheadAttention';
    const one = (
      what: string,
      mask: Tensor | null,
      shapes: readonly (readonly number[])[],
      wide: readonly number[],
    ) => {
      if (mask === null) return null;
      if (!(mask instanceof Tensor)) return fail(name, `${what} must be a tensor`, show(mask));
      if (!shapes.some((shape) => formatShape(shape) === formatShape(mask.shape))) {
        fail(name, `${what} must be ${shapes.map(formatShape).join(' or ')}`, formatShape(mask.shape));
      }
      if (mask.dtype !== 'bool' && !mask.isFloat) fail(name, `${what} must be bool or float`, mask.describe());
      const seen = mask.dtype === 'bool' ? mask.logicalNot() : mask;
      return additiveMask(seen, this.inProjWeight).reshape(wide.length === 0 ? mask.shape : wide);
    };
    const H = this.numHeads;
    const { attnMask = null, keyPaddingMask = null } = options;
    const whole = [N * H, L, S];
    const pairs = one('attnMask', attnMask, [[L, S], whole], attnMask?.ndim === 3 ? [N, H, L, S] : [L, S]);
    const padding = one('keyPaddingMask', keyPaddingMask, N === 1 ? [[N, S], [S]] : [[N, S]], [N, 1, 1, S]);
    if (pairs === null || padding === null) return pairs ?? padding;
    return pairs.add(padding);
  }

  /** Queries, keys and values of all heads, [N, T, H, headDim] each. */
  private project([query, key, value]: readonly Tensor[]): Tensor[] {
    const { embedDim, inProjWeight, inProjBias, numHeads } = this;
    const heads = (x: Tensor) => x.reshape([...x.shape.slice(0, 2), numHeads, embedDim / numHeads]);
    const weights = split(inProjWeight, embedDim);
    const biases = inProjBias === null ? [null, null, null] : split(inProjBias, embedDim);
    return [query, key, value].map((x, i) => heads(linear(x, weights[i], biases[i])));
  }

  /**
   * The output for queries [T, N, embedDim] and keys and values [S, N, embedDim] ([N, T, ...] with `batchFirst`; all
   * may lack N), and the weights or null. Throws when shapes do not fit together.
   */
  forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    options: AttendOptions = {},
  ): [output: Tensor, weights: Tensor | null] {
    checkOptions('MultiheadAttention', options, Object.keys(callDefaults) as (keyof AttendOptions)[]);
    const { needWeights, averageAttnWeights, isCausal } = withDefaults(callDefaults, options);
    for (const [what, flag] of Object.entries({ needWeights, averageAttnWeights, isCausal })) {
      checkFlag('MultiheadAttention', what, flag);
    }
    const inputs = this.batched([query, key, value]);
    const [N, L] = inputs[0].shape;
    const S = inputs[1].shape[1];
    const headDim = this.embedDim / this.numHeads;
    const mask = this.mask(options, N, L, S);
    const scores = { scale: 1 / Math.sqrt(headDim), causal: isCausal };
    const dropoutP = this.training ? this.dropout : 0;
    let weights: Tensor | null = null;
    let out: Tensor; // [N, L, H, headDim]
    if (!needWeights && dropoutP === 0 && inputs[0] === inputs[1] && inputs[0] === inputs[2]) {
      const qkv = linear(inputs[0], this.inProjWeight, this.inProjBias).reshape([N, L, 3, this.numHeads, headDim]);
      out = packedAttention(qkv, mask === null ? null : mask.expand([N, this.numHeads, L, L]), scores);
    } else {
      const [q, k, v] = this.project(inputs).map((x) => x.transpose(1, 2));
      if (needWeights) {
        weights = attentionWeights(q, k, mask, scores);
        weights = dropoutP > 0 ? dropout(weights, { p: dropoutP, generator: this.#generator }) : weights;
        out = matmul(weights, v).transpose(1, 2);
        if (averageAttnWeights) weights = weights.mean(1);
      } else {
        const { causal: isCausal, scale } = scores;
        const how = { attnMask: mask, isCausal, scale, dropoutP, generator: this.#generator };
        out = scaledDotProductAttention(q, k, v, how).transpose(1, 2);
      }
    }
    const joined = this.outProj.forward(out.reshape([N, L, this.embedDim]));
    if (query.ndim === 2) return [joined.squeeze(0), weights?.squeeze(0) ?? null];
    return [this.batchFirst ? joined : joined.transpose(0, 1), weights];
  }

  override extraRepr(): string {
    const { dropout: p, batchFirst } = this;
    const options = { dropout: p, bias: this.inProjBias !== null, batchFirst };
    return formatArguments([this.embedDim, this.numHeads], options, defaults);
  }
}
