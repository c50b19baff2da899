import type { Op, RefArray } from '../../../lib/define.js';
import { compareTensors, type Expected, expectedOf } from '../reference.js';
import { call, disposeAll, operands } from '../run.js';
import { type Drawn, drawCase, isNumber, valuesOf } from '../values.js';
import { during, rowCheck } from './check.js';
import { isStretchable, resized, stretchable } from './sizes.js';

/** Zeros, infinities, nan, the smallest denormal, a denormal, the smallest normal and the largest number. */
const specials = {
  float32: [0, -0, Infinity, -Infinity, NaN, 2 ** -149, -(2 ** -130), 2 ** -126, 3.4028234663852886e38, -1e38, 1, -1],
  float64: [0, -0, Infinity, -Infinity, NaN, 2 ** -1074, -(2 ** -1030), 2 ** -1022, Number.MAX_VALUE, -1e308, 1, -1],
} as const;

const length = 37; // two vectors of 16 lanes and a tail
const places = [0, 5, 35]; // in the first vector and in the tail; ordinary numbers are their neighbours

/** Whether each result depends on the operands at its own place alone: asked of the reference. */
export function isElementwise(op: Op<never>, drawn: Drawn, attrs: unknown): boolean {
  const arrays = drawn.map((x) =>
    isNumber(x) ? { shape: [], data: Float64Array.of(x) } : { shape: x.shape, data: x.data },
  );
  const outputs = (inputs: RefArray[]) => [op.ref(inputs, attrs as never)].flat() as RefArray[];
  const before = outputs(arrays);
  if (before.some((out) => out.shape.length !== 1 || out.shape[0] !== length)) return false;
  const changed = arrays.map(({ shape, data }) => ({
    shape,
    data: data.map((v, i) => (i === 0 && shape.length > 0 ? v + 0.25 : v)),
  }));
  return outputs(changed).every((out, k) => out.data.every((v, i) => i === 0 || Object.is(v, before[k].data[i])));
}

/** Where results do not mix, rounding is relative to the result itself, down to the smallest denormals. */
function strict(expected: Expected[], dtype: 'float32' | 'float64'): Expected[] {
  const absolute = 4 * specials[dtype][5];
  return expected.map((e) => ({ ...e, tolerance: { ...e.tolerance, absolute } }));
}

/** Numbers at the ends of arithmetic give what the reference gives, alone and in pairs. */
export const special = rowCheck(
  'special',
  'test',
  (subject, seed) => {
    const { op } = subject;
    for (const c of stretchable(subject)) {
      for (const dtype of ['float32', 'float64'] as const) {
        const base = drawCase(resized(c, length) as never, dtype, seed);
        const floats = base.flatMap((x, i) => (!isNumber(x) && x.dtype === dtype ? [i] : []));
        if (floats.length === 0) continue;
        const elementwise = isElementwise(op, base, c.attrs);
        const [first, second] = floats;
        for (const a of specials[dtype]) {
          for (const b of second === undefined ? [0] : specials[dtype]) {
            const drawn = base.map((x, i) => {
              if (isNumber(x) || (i !== first && i !== second)) return x;
              const value = i === first ? a : b;
              return valuesOf(
                x.shape,
                dtype,
                x.data.map((v, at) => (places.includes(at) ? value : v)),
              );
            });
            during(
              `${dtype}, ${Object.is(a, -0) ? '-0' : a}${second === undefined ? '' : ` and ${Object.is(b, -0) ? '-0' : b}`}`,
              () => {
                const inputs = operands(drawn);
                const outputs = call(op, inputs, c.attrs);
                const expected = expectedOf(op, drawn, c.attrs);
                compareTensors(outputs, elementwise ? strict(expected, dtype) : expected, { signedZero: elementwise });
                disposeAll(inputs, outputs);
              },
            );
          }
        }
      }
    }
  },
  isStretchable,
);
