// The halves of matrices on either side of a diagonal.
import { fail } from '../errors.js';
import { checkInteger, formatShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkTensor } from './axes.js';
import { arange } from './create.js';
import { where } from './where.js';

/** How far each element of the last two axes lies right of the main diagonal: column - row. */
function distances(op: string, x: Tensor, diagonal: number): Tensor {
  checkTensor(op, x);
  if (x.ndim < 2) fail(op, 'at least two axes are needed', formatShape(x.shape));
  checkInteger(op, 'diagonal', diagonal, Number.MIN_SAFE_INTEGER);
  const [rows, columns] = x.shape.slice(-2);
  return arange(columns).sub(arange(rows).unsqueeze(-1));
}

/**
 * The matrices in the last two axes with zeros below a diagonal: the main one, or the one `diagonal` columns right of it
 * (negative: left). Throws for fewer than two axes.
 */
export function triu(x: Tensor, diagonal = 0): Tensor {
  return where(distances('triu', x, diagonal).ge(diagonal), x, 0);
}

/** The matrices in the last two axes with zeros above a diagonal, chosen as in {@link triu}. */
export function tril(x: Tensor, diagonal = 0): Tensor {
  return where(distances('tril', x, diagonal).le(diagonal), x, 0);
}
