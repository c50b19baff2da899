import type { DType, TypedArray } from './dtype.js';
import type { Shape } from './shape.js';
import type { NestedArray, Tensor } from './tensor.js';

/** Row-major data as nested arrays. */
export function nest(data: TypedArray, shape: Shape, dtype: DType): NestedArray {
  let at = 0;
  const level = (d: number): NestedArray => {
    if (d === shape.length) {
      const value = data[at++];
      return dtype === 'bool' ? value !== 0 : value;
    }
    return Array.from({ length: shape[d] }, () => level(d + 1));
  };
  return level(0);
}

const edge = 3; // items shown at each end of a long axis
const longest = 1000; // tensors of more elements are shortened

function formatNumber(value: number, dtype: DType): string {
  if (dtype === 'bool') return value !== 0 ? 'true' : 'false';
  if (Number.isInteger(value) || !Number.isFinite(value)) return String(value);
  return String(Number(value.toPrecision(5)));
}

/** `Tensor([2, 2] float32, [[1, 2], [3, 4]])`. */
export function formatTensor(t: Tensor): string {
  const tail = t.requiresGrad ? ', requiresGrad' : '';
  if (t.disposed) return `Tensor(${t.describe()}, disposed)`;
  const data = t.dataSync();
  const { shape, dtype } = t;
  const shorten = data.length > longest;
  const level = (d: number, from: number): string => {
    if (d === shape.length) return formatNumber(data[from], dtype);
    const step = shape.slice(d + 1).reduce((a, b) => a * b, 1);
    const parts: string[] = [];
    for (let i = 0; i < shape[d]; i++) {
      if (shorten && i === edge && shape[d] > 2 * edge) {
        parts.push('...');
        i = shape[d] - edge;
      }
      parts.push(level(d + 1, from + i * step));
    }
    const separator = d === shape.length - 1 ? ', ' : `,\n${' '.repeat(d + 2)}`;
    return `[${parts.join(separator)}]`;
  };
  const values = level(0, 0);
  return `Tensor(${t.describe()}${tail},${values.includes('\n') ? '\n ' : ' '}${values})`;
}
