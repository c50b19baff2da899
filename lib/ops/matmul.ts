// Matrix products. Operands are read as they lie: a transposed view costs no copy.
import { fail } from '../errors.js';
import { checkOptions } from '../options.js';
import type { Tensor } from '../tensor.js';
import { checkTensor } from './axes.js';
import { checkInner, delivered, meet, type ProductOptions, product, productOptions, shapes } from './matmul-rows.js';

/**
 * The matrix product of `a` [..., M, K] and `b` [..., K, N]: out [..., M, N] with out[i, j] = sum over k of a[i, k] b[k, j].
 * Leading dimensions broadcast. A one-dimensional operand is a row (a) or a column (b) whose dimension then disappears:
 * two vectors give a scalar, a matrix and a vector a vector. Operands of different dtypes meet at the higher one; integers
 * wrap around. Two bfloat16 operands give the float32 that their products are added up in (PyTorch rounds it again, as
 * `{ outDtype: 'bfloat16' }` does). Throws when the inner sizes differ, the leading ones do not broadcast, or one operand
 * alone is bfloat16. Source: torch.matmul.
 */
export function matmul(a: Tensor, b: Tensor, options: ProductOptions = {}): Tensor {
  return productOf('matmul', a, b, options);
}

function productOf(op: string, a: Tensor, b: Tensor, options: ProductOptions): Tensor {
  checkOptions(op, options, productOptions);
  const [x, y] = meet(op, [a, b], ['a', 'b']);
  checkInner(op, x.shape, y.shape);
  const [row, column] = [x.ndim === 1, y.ndim === 1];
  const out = delivered(op, product(row ? x.unsqueeze(0) : x, column ? y.unsqueeze(1) : y), options);
  if (row) return column ? out.reshape([]) : out.squeeze(-2);
  return column ? out.squeeze(-1) : out;
}

function checkRanks(op: string, a: Tensor, b: Tensor, ranks: readonly [number, number]): void {
  checkTensor(op, a, 'a');
  checkTensor(op, b, 'b');
  if (a.ndim !== ranks[0] || b.ndim !== ranks[1]) {
    const word = (rank: number) => ['a scalar', 'a vector', 'a matrix', 'a batch of matrices'][rank];
    fail(op, `a must be ${word(ranks[0])} and b ${word(ranks[1])}`, shapes(a.shape, b.shape));
  }
  checkInner(op, a.shape, b.shape);
}

/**
 * The inner product of two vectors [K]: a scalar, the sum over k of a[k] b[k]. Throws when an operand is no vector or the
 * sizes differ. Source: torch.dot.
 */
export function dot(a: Tensor, b: Tensor): Tensor {
  checkRanks('dot', a, b, [1, 1]);
  return productOf('dot', a, b, {});
}

/** The outer product of two vectors: out [M, N] with out[i, j] = a[i] b[j]. Throws when an operand is no vector. */
export function outer(a: Tensor, b: Tensor): Tensor {
  checkTensor('outer', a, 'a');
  checkTensor('outer', b, 'b');
  if (a.ndim !== 1 || b.ndim !== 1) fail('outer', 'a and b must be vectors', shapes(a.shape, b.shape));
  return a.unsqueeze(1).mul(b);
}

/** The product of a matrix [M, K] and a vector [K]: a vector [M]. Throws when ranks or inner sizes differ from that. */
export function mv(a: Tensor, b: Tensor): Tensor {
  checkRanks('mv', a, b, [2, 1]);
  return productOf('mv', a, b, {});
}

/** The product of two matrices [M, K] and [K, N]: a matrix [M, N]. Throws when ranks or inner sizes differ from that. */
export function mm(a: Tensor, b: Tensor, options: ProductOptions = {}): Tensor {
  checkRanks('mm', a, b, [2, 2]);
  return productOf('mm', a, b, options);
}

/**
 * The products of two batches of matrices [B, M, K] and [B, K, N]: [B, M, N]. Throws when ranks, batch sizes or inner
 * sizes differ from that: nothing is broadcast. Source: torch.bmm.
 */
export function bmm(a: Tensor, b: Tensor, options: ProductOptions = {}): Tensor {
  checkRanks('bmm', a, b, [3, 3]);
  if (a.shape[0] !== b.shape[0]) fail('bmm', 'batch sizes differ', shapes(a.shape, b.shape));
  return productOf('bmm', a, b, options);
}
