import { calledAs } from '../callsite.js';
import { context } from '../context.js';
import { fail } from '../errors.js';
import { checkOptions } from '../options.js';
import { checkInteger, formatShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkTensor } from './axes.js';
import { indexSelect } from './indexing.js';
import { asIndices, type Indices } from './make/indices.js';
import { where } from './where.js';

/** How embedding() looks up. */
export interface EmbeddingOptions {
  /** A row that no gradient reaches, such as that of a filler token; negative counts from the end. Default null: none. */
  readonly paddingIdx?: number | null;
}

/**
 * Rows of the matrix `weight` by index: [...index shape, columns]. The row `paddingIdx` is read as any other, but gets no
 * gradient. Throws unless `weight` is a matrix; the result fails when an index is not in [0, rows).
 */
export function embedding(weight: Tensor, index: Indices, options: EmbeddingOptions = {}): Tensor {
  checkTensor('embedding', weight, 'weight');
  if (weight.ndim !== 2) fail('embedding', 'weight must be a matrix [rows, columns]', formatShape(weight.shape));
  const { paddingIdx = null } = checkOptions('embedding', options, ['paddingIdx']);
  const rows = weight.shape[0];
  if (paddingIdx !== null) checkInteger('embedding', 'paddingIdx', paddingIdx, -rows, rows - 1);
  const rowsOf = asIndices('embedding', index, weight);
  const out = calledAs('embedding', 'indexSelect', () => indexSelect(weight, 0, rowsOf));
  if (paddingIdx === null || !out.requiresGrad || !context().grad) return out;
  const padding = rowsOf.eq(paddingIdx < 0 ? paddingIdx + rows : paddingIdx).unsqueeze(-1);
  return where(padding, out.detach(), out);
}
