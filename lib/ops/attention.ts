import { applyAll, type Operand } from '../dispatch.js';
import { fail, show } from '../errors.js';
import { checkFlag, checkOptions } from '../options.js';
import type { Generator } from '../random.js';
import { formatShape, numel, type Shape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { attentionOp, packedAttentionOp, type Scores, upToOwn } from './attention-rows.js';
import { checkTensor } from './axes.js';
import { dropout } from './dropout.js';
import { checkDTypes } from './make/operands.js';
import { matmul } from './matmul.js';
import { softmax } from './softmax.js';
import { where } from './where.js';

/** How {@link scaledDotProductAttention} attends. */
export interface AttentionOptions {
  /** Which keys each query sees, broadcast to [..., L, S]: bool (true: seen), or numbers added to the scores. */
  readonly attnMask?: Tensor | null;
  /** A query sees only keys up to its own place, counted from the first. Default false. */
  readonly isCausal?: boolean;
  /** The probability with which a weight is dropped; callers pass 0 when they do not train. Default 0. */
  readonly dropoutP?: number;
  /** Factor of the scores. Default 1 / √E (1 for E = 0, where all scores are 0). */
  readonly scale?: number;
  /** For dropout; default: the default generator, which manualSeed() seeds. */
  readonly generator?: Generator;
}

interface Checked extends Scores {
  readonly mask: Tensor | null;
  readonly dropoutP: number;
}

function checkedOptions(op: string, options: AttentionOptions, width: number): Checked {
  checkOptions(op, options, ['attnMask', 'isCausal', 'dropoutP', 'scale', 'generator']);
  const { attnMask = null, isCausal = false, dropoutP = 0, scale = 1 / Math.sqrt(Math.max(width, 1)) } = options;
  if (!(typeof dropoutP === 'number' && dropoutP >= 0 && dropoutP <= 1)) {
    fail(op, 'dropoutP must be a number from 0 to 1', show(dropoutP));
  }
  if (!(typeof scale === 'number' && Number.isFinite(scale))) fail(op, 'scale must be a number', show(scale));
  const mask = attnMask === null ? null : checkTensor(op, attnMask, 'attnMask');
  if (mask !== null && mask.dtype !== 'bool' && !mask.isFloat) {
    fail(op, 'attnMask must be bool or float', mask.describe());
  }
  return { mask, dropoutP, scale, causal: checkFlag(op, 'isCausal', isCausal) };
}

/** A mask as it is added to scores: 0 where a key is seen, -infinity where not. */
export function additiveMask(mask: Tensor, like: Tensor): Tensor {
  return mask.dtype === 'bool' ? where(mask, 0, -Infinity).cast(like.dtype) : mask.cast(like.dtype);
}

/** A mask seen as [N, H, L, S]; `lead` are the leading sizes that N and H stand for. */
function spreadMask(op: string, mask: Tensor, lead: Shape, [N, H, L, S]: Shape): Tensor {
  const full = [...lead, L, S];
  const fits =
    mask.ndim <= full.length && mask.shape.every((size, d) => size === 1 || size === full[d + full.length - mask.ndim]);
  if (!fits) fail(op, `attnMask does not broadcast to the scores ${formatShape(full)}`, formatShape(mask.shape));
  const wide = mask.expand(full);
  return wide.ndim === 4 ? wide : wide.reshape([N, H, L, S]);
}

/**
 * The weights of attention, [..., L, S]: softmax(scale q k^T + mask) over the keys, 0 for a query that sees none. `q`
 * [..., L, E], `k` [..., S, E].
 */
export function attentionWeights(q: Tensor, k: Tensor, mask: Tensor | null, { scale, causal }: Scores): Tensor {
  let scores = matmul(q, k.transpose()).mul(scale);
  if (mask !== null) scores = scores.add(mask);
  if (causal) scores = where(upToOwn(q.shape[q.ndim - 2], k.shape[k.ndim - 2]), scores, -Infinity);
  if (mask === null) return softmax(scores, -1);
  // Where all is masked the softmax is of nothing: those rows are taken out before, and are 0 after.
  const dead = scores.detach().max(-1, { keepDims: true }).eq(-Infinity);
  return where(dead, 0, softmax(where(dead, 0, scores), -1));
}

/**
 * Attention: softmax(scale q k^T + mask) v for q [..., L, E], k [..., S, E], v [..., S, D]: [..., L, D]. The matrix of
 * scores is never made (but for dropout): blocks of it are, one after another, and again in the gradient. A query that
 * sees no key gets zeros. Throws when shapes or dtypes do not fit. Vaswani et al., 2017; Dao et al., "FlashAttention",
 * 2022. Source: torch.nn.functional.scaled_dot_product_attention.
 */
export function scaledDotProductAttention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const op = 'scaledDotProductAttention';
  const given = [checkTensor(op, q, 'q'), checkTensor(op, k, 'k'), checkTensor(op, v, 'v')];
  checkDTypes(op, 'floats', given);
  const shapes = given.map((t) => formatShape(t.shape)).join(', ');
  if (q.ndim < 2 || k.ndim !== q.ndim || v.ndim !== q.ndim) fail(op, 'q, k and v must be [..., L, E]', shapes);
  const lead = q.shape.slice(0, -2);
  const [L, E] = q.shape.slice(-2);
  const [S] = k.shape.slice(-2);
  const agree =
    [k, v].every((t) => t.shape.slice(0, -2).every((size, d) => size === lead[d])) &&
    k.shape[k.ndim - 1] === E &&
    v.shape[v.ndim - 2] === S;
  if (!agree) fail(op, 'q, k and v must agree in leading sizes, k in the last size of q, v in the keys', shapes);
  const { mask, dropoutP, scale, causal } = checkedOptions(op, options, E);
  const added = mask === null ? null : additiveMask(mask, q);
  const [N, H] = q.ndim === 4 ? lead : [1, numel(lead)];
  const spread = added === null ? null : spreadMask(op, added, lead, [N, H, L, S]);
  const heads = given.map((t) => (t.ndim === 4 ? t : t.reshape([N, H, ...t.shape.slice(-2)])));
  let out: Tensor;
  if (dropoutP > 0) {
    const weights = attentionWeights(heads[0], heads[1], spread, { scale, causal });
    out = matmul(dropout(weights, { p: dropoutP, generator: options.generator }), heads[2]);
  } else {
    const operands: Operand[] = [...heads.map((t) => t.transpose(1, 2)), spread ?? 0];
    const [result, logSums] = applyAll(attentionOp, operands, { scale, causal });
    logSums.dispose(); // what a gradient needs of it, it holds itself
    out = result.transpose(1, 2);
  }
  return q.ndim === 4 ? out : out.reshape([...lead, L, v.shape[v.ndim - 1]]);
}

/** Attention of queries, keys and values in one tensor [N, L, 3, H, E]: [N, L, H, E]. mask: [N, H, L, L], or null. */
export function packedAttention(qkv: Tensor, mask: Tensor | null, scores: Scores): Tensor {
  const [out, logSums] = applyAll(packedAttentionOp, [qkv, mask ?? 0], scores);
  logSums.dispose(); // what a gradient needs of it, it holds itself
  return out;
}
