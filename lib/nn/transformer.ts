import { gelu, relu } from '../ops/activation.js';
import type { Tensor } from '../tensor.js';
import { type AttendOptions, MultiheadAttention } from './attention.js';
import { checkCount, checkFlag, checkName, checkNumber, checkOptions, withDefaults } from './check.js';
import { Dropout } from './dropout.js';
import { formatArguments } from './format.js';
import { type LayerOptions, layerOptions } from './layer.js';
import { Linear } from './linear.js';
import { Module } from './module.js';
import { LayerNorm } from './norm.js';

/** Options of {@link TransformerEncoderLayer}. */
export interface TransformerEncoderLayerOptions extends LayerOptions {
  /** Width of the layer between the two products after the attention. Default 2048. */
  readonly dimFeedforward?: number;
  /** Probability with which numbers are dropped while training. Default 0.1. */
  readonly dropout?: number;
  /** What stands between the two products: "relu" (default) or "gelu". */
  readonly activation?: 'relu' | 'gelu';
  /** Added to the variance in the norms. Default 1e-5. */
  readonly layerNormEps?: number;
  /** Inputs and output are [N, T, dModel] in place of [T, N, dModel]. Default false. */
  readonly batchFirst?: boolean;
  /** Norms before attention and products, as GPT has them, in place of after them. Default false. */
  readonly normFirst?: boolean;
  /** Whether products and norms have something added. Default true. */
  readonly bias?: boolean;
}

/** Which keys are seen; `true` in a bool mask means: not seen. */
export interface EncodeOptions {
  /** [T, T] or [N heads, T, T]. */
  readonly srcMask?: Tensor | null;
  /** [N, T]. */
  readonly srcKeyPaddingMask?: Tensor | null;
  /** Each place sees only those up to itself. Default false. */
  readonly isCausal?: boolean;
}

const defaults = {
  dimFeedforward: 2048,
  dropout: 0.1,
  activation: 'relu' as const,
  layerNormEps: 1e-5,
  batchFirst: false,
  normFirst: false,
  bias: true,
};

/**
 * A block of a transformer: self-attention and two products with an activation between them, each added to its input
 * and normalised: x = norm1(x + attention(x)), x = norm2(x + linear2(activation(linear1(x)))); with `normFirst`
 * x = x + attention(norm1(x)), x = x + linear2(activation(linear1(norm2(x)))), which with `isCausal` and gelu is the block
 * of GPT-2. Vaswani et al., 2017. Source: torch.nn.TransformerEncoderLayer.
 */
export class TransformerEncoderLayer extends Module<[src: Tensor, options?: EncodeOptions]> {
  readonly selfAttn: MultiheadAttention;
  readonly linear1: Linear;
  readonly dropout: Dropout;
  readonly linear2: Linear;
  readonly norm1: LayerNorm;
  readonly norm2: LayerNorm;
  readonly dropout1: Dropout;
  readonly dropout2: Dropout;
  readonly activation: 'relu' | 'gelu';
  readonly normFirst: boolean;

  /** Throws unless `dModel` is a multiple of `nhead`, and on unknown or wrong options. */
  constructor(
    readonly dModel: number,
    readonly nhead: number,
    options: TransformerEncoderLayerOptions = {},
  ) {
    super();
    const name = 'TransformerEncoderLayer';
    const known = Object.keys(defaults) as (keyof typeof defaults)[];
    checkOptions(name, options, [...known, ...layerOptions]);
    const { dimFeedforward, dropout, activation, layerNormEps, batchFirst, normFirst, bias } = withDefaults(
      defaults,
      options,
    );
    checkCount(name, 'dModel', dModel);
    checkCount(name, 'nhead', nhead);
    checkCount(name, 'dimFeedforward', dimFeedforward);
    checkNumber(name, 'dropout', dropout, 0, 1);
    this.activation = checkName(name, 'activation', activation, ['relu', 'gelu']);
    this.normFirst = checkFlag(name, 'normFirst', normFirst);
    const { dtype, device, generator } = options;
    const own = { dtype, device };
    const affine = { bias, ...own, generator };
    this.selfAttn = new MultiheadAttention(dModel, nhead, { dropout, batchFirst, ...affine });
    this.linear1 = new Linear(dModel, dimFeedforward, affine);
    this.dropout = new Dropout(dropout, { generator });
    this.linear2 = new Linear(dimFeedforward, dModel, affine);
    this.norm1 = new LayerNorm(dModel, { eps: layerNormEps, bias, ...own });
    this.norm2 = new LayerNorm(dModel, { eps: layerNormEps, bias, ...own });
    this.dropout1 = new Dropout(dropout, { generator });
    this.dropout2 = new Dropout(dropout, { generator });
  }

  private attend(x: Tensor, { srcMask, srcKeyPaddingMask, isCausal }: EncodeOptions): Tensor {
    const how: AttendOptions = { attnMask: srcMask, keyPaddingMask: srcKeyPaddingMask, isCausal, needWeights: false };
    return this.dropout1.forward(this.selfAttn.forward(x, x, x, how)[0]);
  }

  private feed(x: Tensor): Tensor {
    const hidden = this.linear1.forward(x);
    const active = this.activation === 'gelu' ? gelu(hidden) : relu(hidden);
    return this.dropout2.forward(this.linear2.forward(this.dropout.forward(active)));
  }

  /** The output for `src` [T, N, dModel] ([N, T, dModel] with `batchFirst`; N may be absent), of the same shape. */
  forward(src: Tensor, options: EncodeOptions = {}): Tensor {
    const name = 'TransformerEncoderLayer';
    checkOptions(name, options, ['srcMask', 'srcKeyPaddingMask', 'isCausal']);
    checkFlag(name, 'isCausal', options.isCausal ?? false);
    if (this.normFirst) {
      const x = src.add(this.attend(this.norm1.forward(src), options));
      return x.add(this.feed(this.norm2.forward(x)));
    }
    const x = this.norm1.forward(src.add(this.attend(src, options)));
    return this.norm2.forward(x.add(this.feed(x)));
  }

  override extraRepr(): string {
    const { activation, normFirst } = this;
    const { batchFirst } = this.selfAttn;
    const options = {
      dimFeedforward: this.linear1.outFeatures,
      dropout: this.dropout.p,
      activation,
      batchFirst,
      normFirst,
    };
    return formatArguments([this.dModel, this.nhead], options, defaults);
  }
}
