// How elementwise rows are made: broadcasting, dtypes, reference and cost are the same for all of them.
import { defineOp, type Meta, type Op, type RefArray, type VjpRule } from '../../define.js';
import { apply, type Operand } from '../../dispatch.js';
import { broadcastShapes, numel, type Shape } from '../../shape.js';
import type { Tensor } from '../../tensor.js';
import { costPerElement } from '../axes.js';
import { type Accepts, accepted, checkDTypes, meet } from './operands.js';

/** What is special to an elementwise row. */
export interface Elementwise<A = undefined> {
  /** Dtypes that its kernels take. Default `floats`. */
  readonly accepts?: Accepts;
  /** The result is bool whatever the operands are. */
  readonly toBool?: boolean;
  /** One element of the result, from the operands' elements. */
  readonly ref: (x: readonly number[], attrs: A) => number;
  readonly save?: readonly string[];
  /** One rule for each operand. Absent: the row is flat or not differentiable ("none" for all). */
  readonly vjp?: readonly VjpRule<A>[];
  readonly pack?: (attrs: A, inputs: readonly Meta[]) => readonly number[];
  /** Checks attributes against the dtype. */
  readonly check?: (attrs: A, inputs: readonly Meta[]) => void;
  /** Floating-point operations an element, which may depend on the attributes. Default 1. */
  readonly flops?: number | ((attrs: A) => number);
}

/** The place in an operand that element i of a result of `shape` is computed from. */
function placeIn(x: Shape, shape: Shape): (i: number) => number {
  return (i) => {
    let rest = i;
    let place = 0;
    let step = 1;
    for (let d = 1; d <= x.length; d++) {
      const size = x[x.length - d];
      const whole = shape[shape.length - d];
      if (size !== 1) place += (rest % whole) * step;
      rest = Math.floor(rest / whole);
      step *= size;
    }
    return place;
  };
}

/** The common shape of all operands. In a loop, without a list in between: this runs with every call. */
function commonShape(op: string, operands: readonly { readonly shape: Shape }[]): Shape {
  let { shape } = operands[0];
  for (let i = 1; i < operands.length; i++) shape = broadcastShapes(op, shape, operands[i].shape);
  return shape;
}

/** A reference: `fn` of the operands' elements that meet by broadcasting. */
export function mapRef(op: string, inputs: readonly RefArray[], fn: (x: readonly number[]) => number): RefArray {
  const shape = commonShape(op, inputs);
  const places = inputs.map((x) => placeIn(x.shape, shape));
  const data = Float64Array.from({ length: numel(shape) }, (_, i) => fn(inputs.map((x, k) => x.data[places[k](i)])));
  return { shape, data };
}

/** An elementwise row over operands of these names, which broadcast and have one dtype. */
export function elementwiseRow<A = undefined>(name: string, inputs: readonly string[], spec: Elementwise<A>): Op<A> {
  const accepts = spec.accepts ?? 'floats';
  return defineOp<A>({
    name,
    inputs,
    save: spec.save,
    infer: (metas, attrs) => {
      const dtype = checkDTypes(name, accepts, metas);
      spec.check?.(attrs, metas);
      return { shape: commonShape(name, metas), dtype: spec.toBool ? 'bool' : dtype };
    },
    pack: spec.pack,
    vjp: spec.vjp ?? inputs.map(() => 'none' as const),
    ref: (arrays, attrs) => mapRef(name, arrays, (x) => spec.ref(x, attrs)),
    cost: (metas, outputs, attrs) => {
      const each = typeof spec.flops === 'function' ? spec.flops(attrs) : (spec.flops ?? 1);
      return { ...costPerElement(0)(metas, outputs), flops: each * numel(outputs[0].shape) };
    },
  });
}

/** A function of one tensor, elementwise. */
export type Unary = (x: Tensor) => Tensor;

/** An exported op with one operand. */
export function unary(name: string, spec: Elementwise): Unary {
  const op = elementwiseRow(name, ['x'], spec);
  const accepts = spec.accepts ?? 'floats';
  return (x) => apply(op, [accepted(name, accepts, x)], undefined);
}

/** A function of two operands, elementwise with broadcasting; one of them may be a number. */
export type Binary = (a: Operand, b: Operand) => Tensor;

/** An op with two operands: the function, and its row for those that also run it in place. */
export function binary(name: string, spec: Elementwise): { readonly op: Op<undefined>; readonly run: Binary } {
  const op = elementwiseRow(name, ['a', 'b'], spec);
  const accepts = spec.accepts ?? 'floats';
  return { op, run: (a, b) => apply(op, meet(name, accepts, a, b), undefined) };
}
