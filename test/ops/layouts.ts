// The same values laid out in memory in every way that a view can have.
import { dtypes } from '../../lib/dtype.js';
import { tensor } from '../../lib/index.js';
import { contiguousStrides, numel } from '../../lib/shape.js';
import { Tensor } from '../../lib/tensor.js';
import { packed, type Values, valuesOf } from './values.js';

/** Where the elements of a shape lie in a buffer of `length` elements. */
interface Placement {
  readonly strides: readonly number[];
  readonly offset: number;
  readonly length: number;
}

/** Dense strides for the dimensions taken in `order`, outermost first. */
function stridesInOrder(shape: readonly number[], order: readonly number[]): number[] {
  const dense = contiguousStrides(order.map((d) => shape[d]));
  const strides = new Array<number>(shape.length);
  order.forEach((d, place) => {
    strides[d] = dense[place];
  });
  return strides;
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/** Each layout, by name. */
export const layouts = {
  contiguous: (shape) => ({ strides: contiguousStrides(shape), offset: 0, length: numel(shape) }),
  /** Does not begin where memory is aligned for vectors. */
  offset: (shape) => ({ strides: contiguousStrides(shape), offset: 3, length: numel(shape) + 5 }),
  /** All dimensions in opposite order. */
  transposed: (shape) => ({
    strides: stridesInOrder(shape, range(shape.length).reverse()),
    offset: 0,
    length: numel(shape),
  }),
  /** The first two dimensions exchanged: the innermost one stays dense. */
  swapped: (shape) => ({
    strides: stridesInOrder(shape, shape.length < 2 ? range(shape.length) : [1, 0, ...range(shape.length).slice(2)]),
    offset: 0,
    length: numel(shape),
  }),
  /** Every other row and every third column of something larger, from inside of it. */
  stepped: (shape) => {
    const steps = shape.map((_, d) => (d === shape.length - 1 ? 3 : 2));
    const outer = shape.map((size, d) => size * steps[d] + 1);
    const dense = contiguousStrides(outer);
    return {
      strides: dense.map((s, d) => s * steps[d]),
      offset: numel(shape) === 0 ? 0 : dense.reduce((a, b) => a + b, 0),
      length: Math.max(1, numel(outer)),
    };
  },
  /** All dimensions backwards. */
  reversed: (shape) => {
    const dense = contiguousStrides(shape);
    const n = numel(shape);
    return { strides: dense.map((s) => -s), offset: Math.max(0, n - 1), length: n };
  },
} satisfies Record<string, (shape: readonly number[]) => Placement>;

export type Layout = keyof typeof layouts;

// What lies between the elements of a view: read by mistake, it spoils every result.
const poison = {
  float32: Number.NaN,
  float64: Number.NaN,
  bfloat16: Number.NaN,
  int32: -1234567890,
  uint8: 251,
  bool: 1,
} as const;

/** Calls `visit` with the flat place of each element, in row-major order. */
function eachPlace(
  shape: readonly number[],
  { strides, offset }: Placement,
  visit: (at: number, i: number) => void,
): void {
  const n = numel(shape);
  const index = new Array<number>(shape.length).fill(0);
  let at = offset;
  for (let i = 0; i < n; i++) {
    visit(at, i);
    for (let d = shape.length - 1; d >= 0; d--) {
      at += strides[d];
      if (++index[d] < shape[d]) break;
      at -= shape[d] * strides[d];
      index[d] = 0;
    }
  }
}

/** A tensor that holds the values in a layout. */
export function laidOut(values: Values, layout: Layout): Tensor {
  const { shape, dtype } = values;
  const placement = layouts[layout](shape);
  const stored = packed(values);
  const buffer = new dtypes[dtype].array(placement.length).fill(poison[dtype]);
  eachPlace(shape, placement, (at, i) => {
    buffer[at] = stored[i];
  });
  const base = tensor(buffer, { dtype: dtype === 'bool' ? 'uint8' : dtype });
  // Bool and uint8 have the same bytes; the view says which it is. It takes over the hold of the base.
  return new Tensor(base.storage, shape, placement.strides, placement.offset, dtype);
}

/** The values with one dimension repeated from its first entry, and the tensor that shows that with a stride of 0. */
export function expanded(values: Values, axis: number): { values: Values; tensor: () => Tensor } {
  const { shape, dtype, data } = values;
  const inner = numel(shape.slice(axis + 1));
  const { floor } = Math; // jest puts a slow door before globals
  const small = shape.map((size, d) => (d === axis ? Math.min(1, size) : size));
  const first = Float64Array.from(
    { length: numel(small) },
    (_, i) => data[floor(i / inner) * inner * shape[axis] + (i % inner)],
  );
  const repeated = data.map((_, i) => first[floor(i / (inner * shape[axis])) * inner + (i % inner)]);
  const strides = contiguousStrides(small).map((s, d) => (d === axis ? 0 : s));
  return {
    values: valuesOf(shape, dtype, repeated),
    tensor: () => {
      const base = laidOut({ shape: small, dtype, data: first }, 'contiguous');
      return new Tensor(base.storage, shape, strides, 0, dtype);
    },
  };
}
