// The rows of pooling: values, and what each sends back. A gradient's own gradient is the pooling again.
import { defineOp, type Meta, type Op, type RefArray } from '../define.js';
import { apply, applyAll } from '../dispatch.js';
import { fail } from '../errors.js';
import { formatShape, numel, type Shape, sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { bytesOf } from './cost.js';
import { checkDTypes } from './make/operands.js';

/** A regular window over two axes: each pair is rows, columns. */
export interface Windows {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  /** A last window that reaches past the padding counts too. */
  readonly ceilMode: boolean;
  /** Of a mean: padding counts among the divided. */
  readonly countIncludePad: boolean;
  /** Of a mean: divide by this; 0: by the window's size. */
  readonly divisor: number;
}

/** The input's size is what a gradient cannot see. */
interface Back {
  readonly size: readonly number[];
}

const pack = (w: Windows) => [...w.kernel, ...w.stride, ...w.padding, ...w.dilation, +w.countIncludePad, w.divisor];

function pooledSize(op: string, x: Shape, w: Windows): number[] {
  if (x.length !== 4) fail(op, 'x must be [N, C, H, W] or [C, H, W]', formatShape(x));
  return [0, 1].map((d) => {
    const size = x[2 + d];
    const reach = w.dilation[d] * (w.kernel[d] - 1) + 1;
    const room = size + 2 * w.padding[d] - reach;
    const steps = (w.ceilMode ? Math.ceil : Math.floor)(room / w.stride[d]);
    if (size === 0 || steps < 0) {
      fail(op, 'the window is larger than the padded input', `window ${formatShape(w.kernel)}, x ${formatShape(x)}`);
    }
    // A window must begin inside the input or the padding before it.
    const count = steps * w.stride[d] >= size + w.padding[d] ? steps : steps + 1;
    for (let i = 0; w.dilation[d] > size && i < count; i++) {
      if (covered(i, d, size, w).places.length > 0) continue;
      fail(
        op,
        'a dilated window lies in the padding alone',
        `dilation ${formatShape(w.dilation)}, x ${formatShape(x)}`,
      );
    }
    return count;
  });
}

/** Places, along one axis, that the window of output i covers; and how many a mean counts. */
function covered(i: number, d: number, size: number, w: Windows): { places: number[]; counted: number } {
  const first = i * w.stride[d] - w.padding[d];
  const all = Array.from({ length: w.kernel[d] }, (_, k) => first + k * w.dilation[d]);
  const places = all.filter((at) => at >= 0 && at < size);
  return { places, counted: w.countIncludePad ? all.filter((at) => at < size + w.padding[d]).length : places.length };
}

/** Calls `visit` with each output's place and its window's places in the data of x. */
function eachWindow(
  x: Shape,
  out: Shape,
  window: (i: number, d: number) => { places: number[]; counted: number },
  visit: (out: number, places: number[], first: number, counted: number) => void,
): void {
  const [n, c, height, width] = x;
  let at = 0;
  for (let plane = 0; plane < n * c; plane++) {
    for (let i = 0; i < out[2]; i++) {
      for (let j = 0; j < out[3]; j++) {
        const rows = window(i, 0);
        const columns = window(j, 1);
        const first = plane * height * width;
        const places = rows.places.flatMap((h) => columns.places.map((v) => first + h * width + v));
        visit(at++, places, first, rows.counted * columns.counted);
      }
    }
  }
}

/** The shape that a gradient is sent back to. */
function backShape(op: string, g: Shape, size: readonly number[]): number[] {
  if (g.length !== 4 || size.length !== 2) fail(op, 'g must be [N, C, H, W]', formatShape(g));
  return [...g.slice(0, 2), ...size];
}

const costOf = (window: number) => (inputs: readonly Meta[], outputs: readonly Meta[]) => ({
  flops: numel(outputs[0].shape) * window,
  bytes: bytesOf([...inputs, ...outputs]),
});

function maxRef(x: RefArray, w: Windows): RefArray[] {
  const shape = [...x.shape.slice(0, 2), ...pooledSize('maxPool2d', x.shape, w)];
  const data = new Float64Array(numel(shape));
  const indices = new Float64Array(numel(shape));
  eachWindow(
    x.shape,
    shape,
    (i, d) => covered(i, d, x.shape[2 + d], w),
    (at, places, first) => {
      let best = places[0];
      for (const p of places)
        if (x.data[p] > x.data[best] || (Number.isNaN(x.data[p]) && !Number.isNaN(x.data[best]))) best = p;
      data[at] = x.data[best];
      indices[at] = best - first;
    },
  );
  return [
    { shape, data },
    { shape, data: indices },
  ];
}

/** Largest values and their places. */
export const maxPoolOp: Op<Windows> = defineOp<Windows>({
  name: 'maxPool2d',
  inputs: ['x'],
  outputs: ['out', 'indices'],
  infer: ([x], w) => {
    const shape = [...x.shape.slice(0, 2), ...pooledSize('maxPool2d', x.shape, w)];
    return [
      { shape, dtype: checkDTypes('maxPool2d', 'floats', [x]) },
      { shape, dtype: 'int32' },
    ];
  },
  pack,
  save: ['indices'],
  vjp: [(g, { indices }, { inputs }) => apply(maxPoolGradOp, [g, indices], { size: inputs[0].shape.slice(2) })],
  ref: ([x], w) => maxRef(x, w),
  cost: (inputs, outputs, w) => costOf(numel(w.kernel))(inputs, outputs),
});

/** The largest values alone, where no gradient will ask for their places. */
export const maxPoolValuesOp: Op<Windows> = defineOp<Windows>({
  name: 'maxPool2dValues',
  inputs: ['x'],
  infer: ([x], w) => ({
    shape: [...x.shape.slice(0, 2), ...pooledSize('maxPool2d', x.shape, w)],
    dtype: checkDTypes('maxPool2d', 'floats', [x]),
  }),
  pack,
  save: ['x'],
  // Somebody recorded it all the same: its places are found now.
  vjp: [
    (g, { x }, { attrs }) => {
      const [, indices] = applyAll(maxPoolOp, [x], attrs);
      return apply(maxPoolGradOp, [g, indices], { size: x.shape.slice(2) });
    },
  ],
  ref: ([x], w) => maxRef(x, w)[0],
  cost: (inputs, outputs, w) => costOf(numel(w.kernel))(inputs, outputs),
});

const maxPoolGradOp: Op<Back> = defineOp<Back>({
  name: 'maxPool2dGrad',
  inputs: ['g', 'indices'],
  infer: ([g, indices], { size }) => {
    const shape = backShape('maxPool2dGrad', g.shape, size);
    if (!sameShape(g.shape, indices.shape)) {
      fail(
        'maxPool2dGrad',
        'g and indices differ in shape',
        `${formatShape(g.shape)} and ${formatShape(indices.shape)}`,
      );
    }
    return { shape, dtype: checkDTypes('maxPool2dGrad', 'floats', [g]) };
  },
  save: ['indices'],
  vjp: [(g, { indices }) => pick(g, indices), 'none'],
  ref: ([g, indices], { size }) => {
    const shape = [...g.shape.slice(0, 2), ...size];
    const data = new Float64Array(numel(shape));
    const outputs = numel(g.shape.slice(2));
    g.data.forEach((value, i) => {
      data[Math.floor(i / outputs) * numel(size) + indices.data[i]] += value;
    });
    return { shape, data };
  },
  cost: costOf(1),
});

/** The elements of each plane that maxima came from. */
function pick(x: Tensor, indices: Tensor): Tensor {
  return x.flatten(2).gather(2, indices.flatten(2)).reshape(indices.shape);
}

/** A mean over windows and its gradient, which are each other's gradients. `divided` is what a window is divided by. */
function meanRows<A>(
  name: string,
  rule: {
    readonly size: (x: Shape, attrs: A) => number[];
    readonly pack: (attrs: A) => number[];
    readonly window: (
      x: Shape,
      out: Shape,
      attrs: A,
    ) => (i: number, d: number) => { places: number[]; counted: number };
    readonly divisor: (attrs: A, counted: number) => number;
  },
): Op<A> {
  const outShape = (x: Shape, attrs: A) => [...x.slice(0, 2), ...rule.size(x, attrs)];
  const forward: Op<A> = defineOp<A>({
    name,
    inputs: ['x'],
    infer: ([x], attrs) => ({ shape: outShape(x.shape, attrs), dtype: checkDTypes(name, 'floats', [x]) }),
    pack: rule.pack,
    vjp: [(g, _saved, { attrs, inputs }) => apply(back, [g], { attrs, size: inputs[0].shape.slice(2) })],
    ref: ([x], attrs) => {
      const shape = outShape(x.shape, attrs);
      const data = new Float64Array(numel(shape));
      eachWindow(x.shape, shape, rule.window(x.shape, shape, attrs), (at, places, _first, counted) => {
        data[at] = places.reduce((sum, p) => sum + x.data[p], 0) / rule.divisor(attrs, counted);
      });
      return { shape, data };
    },
    cost: ([x], [out]) => ({ flops: numel(x.shape) + numel(out.shape), bytes: bytesOf([x, out]) }),
  });
  const back: Op<Back & { attrs: A }> = defineOp<Back & { attrs: A }>({
    name: `${name}Grad`,
    inputs: ['g'],
    infer: ([g], { attrs, size }) => {
      const shape = backShape(`${name}Grad`, g.shape, size);
      if (!sameShape(outShape(shape, attrs), g.shape)) {
        fail(`${name}Grad`, 'g is not what these windows give', `g ${formatShape(g.shape)}, x ${formatShape(shape)}`);
      }
      return { shape, dtype: checkDTypes(`${name}Grad`, 'floats', [g]) };
    },
    pack: ({ attrs }) => rule.pack(attrs),
    vjp: [(g, _saved, { attrs }) => apply(forward, [g], attrs.attrs)],
    ref: ([g], { attrs, size }) => {
      const shape = [...g.shape.slice(0, 2), ...size];
      const data = new Float64Array(numel(shape));
      eachWindow(shape, g.shape, rule.window(shape, g.shape, attrs), (at, places, _first, counted) => {
        for (const p of places) data[p] += g.data[at] / rule.divisor(attrs, counted);
      });
      return { shape, data };
    },
    cost: costOf(1),
  });
  return forward;
}

/** Means of regular windows. */
export const avgPoolOp: Op<Windows> = meanRows<Windows>('avgPool2d', {
  size: (x, w) => pooledSize('avgPool2d', x, w),
  pack,
  window: (x, _out, w) => (i, d) => covered(i, d, x[2 + d], w),
  divisor: (w, counted) => (w.divisor === 0 ? counted : w.divisor),
});

/** Means of windows that divide the input evenly into the output. */
export const adaptiveAvgPoolOp: Op<Back> = meanRows<Back>('adaptiveAvgPool2d', {
  size: (x, { size }) => {
    if (x.length !== 4) fail('adaptiveAvgPool2d', 'x must be [N, C, H, W] or [C, H, W]', formatShape(x));
    if (numel(x.slice(2)) === 0) fail('adaptiveAvgPool2d', 'the planes are empty', formatShape(x));
    return [...size];
  },
  pack: () => [],
  window: (x, out) => (i, d) => {
    const begin = Math.floor((i * x[2 + d]) / out[2 + d]);
    const end = Math.ceil(((i + 1) * x[2 + d]) / out[2 + d]);
    return { places: Array.from({ length: end - begin }, (_, k) => begin + k), counted: end - begin };
  },
  divisor: (_attrs, counted) => counted,
});
