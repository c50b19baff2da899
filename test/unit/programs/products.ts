// Products of matrices by the CBLAS in use and by an own kernel, and how far they are apart; prints JSON.
import * as athanor from '../../../lib/index.js';
import { native } from '../../../lib/native.js';
import { type LinearActivation, linearActivationOp, linearOp } from '../../../lib/ops/linear-rows.js';
import { matmulOp } from '../../../lib/ops/matmul-rows.js';
import type { Tensor } from '../../../lib/tensor.js';

export interface ProductReport {
  readonly name: string;
  /** Whether the CBLAS takes it. */
  readonly fits: boolean;
  /** The largest distance from the own kernel's result, in K epsilon sum |a| |b|: each of the two is within half of that
   *  of the exact one, whatever the order of its sums. 0 where it does not fit. */
  readonly distance: number;
}
export interface ProductsReport {
  readonly blas: string;
  /** The kernels of matmul. */
  readonly kernels: readonly string[];
  readonly products: readonly ProductReport[];
}

type Row = typeof matmulOp | typeof linearOp | typeof linearActivationOp;

/** What `body` makes with one kernel of the row as the only choice; null where it does not fit. */
function by(kernel: string, row: Row, body: () => Tensor): ArrayLike<number> | null {
  const index = native.kernels(row.code).indexOf(kernel);
  if (index < 0) return null;
  native.forceKernel(row.code, index);
  try {
    const out = body();
    return out.dataSync() as ArrayLike<number>;
  } catch (error) {
    if (/the forced kernel blas does not fit/.test((error as Error).message)) return null;
    throw error;
  } finally {
    native.forceKernel(row.code, -1);
  }
}

const epsilon = { float32: 2 ** -23, float64: 2 ** -52 } as const;

/** `magnitudes`: the same product of the operands' absolute values; `unit`: K epsilon. */
function compare(name: string, row: Row, body: () => Tensor, magnitudes: () => Tensor, unit: number): ProductReport {
  const got = by('blas', row, body);
  if (got === null) return { name, fits: false, distance: 0 };
  const expected = Array.from(by('packed', row, body) as ArrayLike<number>);
  const sums = by('packed', row === matmulOp ? matmulOp : linearOp, magnitudes) as ArrayLike<number>;
  const distance = expected.reduce((most, x, i) => {
    const off = Math.abs(x - (got[i] as number)) / (unit * (sums[i] as number));
    return off <= most ? most : off; // a NaN is kept
  }, 0);
  return { name, fits: true, distance };
}

function products(dtype: 'float32' | 'float64'): ProductReport[] {
  const generator = new athanor.Generator(7);
  const draw = (...shape: number[]) => athanor.randn(shape, { dtype, generator });
  const [m, n, k] = [70, 90, 110];
  const [a, b] = [draw(m, k), draw(k, n)];
  const [at, bt] = [draw(k, m).transpose(), draw(n, k).transpose()];
  const [weight, bias] = [draw(n, k), draw(n)];
  const matmul = (name: string, x: Tensor, y: Tensor) =>
    compare(
      `${dtype} ${name}`,
      matmulOp,
      () => x.matmul(y),
      () => x.abs().matmul(y.abs()),
      k * epsilon[dtype],
    );
  const linear = (name: string, row: Row, x: Tensor, activation: LinearActivation | null = null) => {
    const magnitudes = () => athanor.linear(x.abs(), weight.abs(), bias.abs());
    return compare(
      `${dtype} ${name}`,
      row,
      () => athanor.linear(x, weight, bias, { activation }),
      magnitudes,
      k * epsilon[dtype],
    );
  };
  return [
    matmul('a b', a, b),
    matmul('aT b', at, b),
    matmul('a bT', a, bt),
    matmul('aT bT', at, bt),
    matmul(
      'windows on larger matrices',
      draw(m, k + 5).slice(undefined, { start: 3, end: k + 3 }),
      draw(k, n + 9).slice(undefined, { end: n }),
    ),
    matmul('batched', draw(3, m, k), draw(3, k, n)),
    matmul('batched, one for all', draw(2, 1, m, k), draw(3, k, n)),
    linear('linear', linearOp, a),
    linear('linear of a batch', linearOp, draw(2, 40, k)),
    ...(['relu', 'sigmoid', 'tanh'] as const).map((activation) =>
      linear(`linear, ${activation}`, linearActivationOp, a, activation),
    ),
    matmul('small', draw(8, 8), draw(8, 8)),
    matmul('a row', draw(1, 600), draw(600, 600)),
    matmul('steps of two', draw(m, 2 * k).slice(undefined, { step: 2 }), b),
  ];
}

if (process.argv[2] !== undefined) athanor.setNumThreads(Number(process.argv[2]));
const report: ProductsReport = {
  blas: athanor.info().blas,
  kernels: native.kernels(matmulOp.code),
  products: [...products('float32'), ...products('float64')],
};
console.log(JSON.stringify(report));
