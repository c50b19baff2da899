// Derivatives of functions, as functions: products with the Jacobian from either side, and the matrices themselves.
import { fail, show } from '../errors.js';
import { eye, zeros, zerosLike } from '../ops/create.js';
import { stack } from '../ops/join.js';
import { checkFlag, checkOptions } from '../options.js';
import { checkShape, formatShape, sameShape } from '../shape.js';
import { Tensor } from '../tensor.js';
import { grad } from './backward.js';
import { enableGrad } from './modes.js';
import { fullLike } from './tensors.js';

/** One tensor or several: what a differentiated function takes or returns. */
export type Tensors = Tensor | readonly Tensor[];

/** The same as `T` was given: one tensor for one, an array for an array. */
export type Like<T extends Tensors> = T extends Tensor ? Tensor : Tensor[];

/** How a derivative is computed. */
export interface DerivativeOptions {
  /** Record the derivative too, so that it can be differentiated again. Default false. */
  readonly createGraph?: boolean;
}

function createsGraph(op: string, options: DerivativeOptions): boolean {
  return checkFlag(op, 'createGraph', checkOptions(op, options, ['createGraph']).createGraph ?? false);
}

function listOf(op: string, what: string, given: unknown): readonly Tensor[] {
  const list = given instanceof Tensor ? [given] : given;
  if (!Array.isArray(list) || list.length === 0 || list.some((t) => !(t instanceof Tensor))) {
    return fail(op, `${what} must be a tensor or an array of tensors`, show(given));
  }
  return list as Tensor[];
}

function likeGiven<T extends Tensors>(given: T, list: Tensor[]): Like<T> {
  return (given instanceof Tensor ? list[0] : list) as Like<T>;
}

/** Inputs of their own for the function: gradients with respect to them stay apart from whatever made the caller's. */
function freshInputs(op: string, given: unknown, createGraph: boolean): Tensor[] {
  return listOf(op, 'inputs', given).map((x, i) => {
    if (!x.isFloat) fail(op, `input ${i} is not of a float dtype`, x.describe());
    // A view that is itself recorded ties the derivative to the caller's graph; else a leaf on the same memory will do.
    if (createGraph && x.requiresGrad) return x.reshape(x.shape);
    const leaf = x.detach();
    leaf.requiresGrad = true;
    return leaf;
  });
}

function checkLike(op: string, what: string, given: unknown, like: readonly Tensor[]): readonly Tensor[] {
  const list = listOf(op, what, given);
  if (list.length !== like.length) fail(op, `${what}: one for each is needed`, `${list.length} for ${like.length}`);
  list.forEach((t, i) => {
    if (!sameShape(t.shape, like[i].shape)) {
      fail(
        op,
        `${what} differ in shape from what they belong to`,
        `${formatShape(t.shape)} for ${formatShape(like[i].shape)}`,
      );
    }
  });
  return list;
}

/** grad(), with zeros where nothing depends on an input, recorded or not. */
function gradOrZero(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  weights: readonly Tensor[],
  createGraph: boolean,
): Tensor[] {
  const live = outputs.flatMap((t, i) => (t.requiresGrad ? [i] : []));
  if (live.length === 0) return inputs.map((x) => zerosLike(x));
  const options = { gradOutputs: live.map((i) => weights[i]), createGraph, allowUnused: true };
  const found: readonly (Tensor | null)[] = grad(
    live.map((i) => outputs[i]),
    inputs,
    options,
  );
  return found.map((g, i) => g ?? zerosLike(inputs[i]));
}

/** The inputs of its own that a function was called with, and what it returned. */
interface Called<Y extends Tensors> {
  readonly xs: Tensor[];
  readonly raw: Y;
  readonly ys: readonly Tensor[];
}

function callOn<Y extends Tensors>(
  op: string,
  fn: (...xs: Tensor[]) => Y,
  inputs: Tensors,
  createGraph: boolean,
): Called<Y> {
  if (typeof fn !== 'function') fail(op, 'a function was expected', show(fn));
  const xs = enableGrad(() => freshInputs(op, inputs, createGraph));
  const raw = enableGrad(() => fn(...xs));
  return { xs, raw, ys: listOf(op, 'what the function returns', raw) };
}

function onlyScalar(op: string, ys: readonly Tensor[]): Tensor {
  if (ys.length !== 1 || ys[0].size !== 1)
    fail(op, 'the function must return one element', ys.map((y) => y.describe()).join(', '));
  return ys[0];
}

function results<Y extends Tensors>({ raw, ys }: Called<Y>, createGraph: boolean): Like<Y> {
  return likeGiven(raw, createGraph ? [...ys] : ys.map((y) => y.detach()));
}

/**
 * Vector-Jacobian product: the value of `fn(...inputs)` and v J, where J is its Jacobian and `v` has the shapes of the
 * outputs (default 1, for a single element). One backward pass. `gradients` has the shapes of `inputs`.
 * Throws when an input is not of a float dtype or `v` differs in shape from the outputs.
 */
export function vjp<X extends Tensors, Y extends Tensors>(
  fn: (...xs: Tensor[]) => Y,
  inputs: X,
  v?: Tensors,
  options: DerivativeOptions = {},
): { outputs: Like<Y>; gradients: Like<X> } {
  const createGraph = createsGraph('vjp', options);
  const called = callOn('vjp', fn, inputs, createGraph);
  const weights =
    v === undefined ? [fullLike(1, onlyScalar('vjp', called.ys))] : checkLike('vjp', 'cotangents', v, called.ys);
  const gradients = gradOrZero(called.ys, called.xs, weights, createGraph);
  return { outputs: results(called, createGraph), gradients: likeGiven(inputs, gradients) };
}

/**
 * Jacobian-vector product: the value of `fn(...inputs)` and J t, the derivative along `t`, which has the shapes of the
 * inputs. `tangents` has the shapes of the outputs. Two backward passes: v J is linear in v, and its derivative by v along
 * t is J t (J. Townsend, "A new trick for calculating Jacobian vector products", 2017).
 * Throws when an input is not of a float dtype or `t` differs in shape from the inputs.
 */
export function jvp<X extends Tensors, Y extends Tensors>(
  fn: (...xs: Tensor[]) => Y,
  inputs: X,
  t: Tensors,
  options: DerivativeOptions = {},
): { outputs: Like<Y>; tangents: Like<Y> } {
  const createGraph = createsGraph('jvp', options);
  const called = callOn('jvp', fn, inputs, createGraph);
  const along = checkLike('jvp', 'tangents', t, called.xs);
  const weights = called.ys.map((y) => zerosLike(y, { requiresGrad: y.isFloat }));
  const products = gradOrZero(called.ys, called.xs, weights, true);
  const tangents = gradOrZero(products, weights, along, createGraph);
  return { outputs: results(called, createGraph), tangents: likeGiven(called.raw, tangents) };
}

/**
 * Hessian-vector product: the value of `fn(...inputs)`, one element, and H v, where H holds its second derivatives and `v`
 * has the shapes of the inputs. Two backward passes; H itself is never formed.
 * Throws when `fn` returns more than one element, an input is not of a float dtype, or `v` differs in shape.
 */
export function hvp<X extends Tensors>(
  fn: (...xs: Tensor[]) => Tensor,
  inputs: X,
  v: Tensors,
  options: DerivativeOptions = {},
): { output: Tensor; product: Like<X> } {
  const createGraph = createsGraph('hvp', options);
  const called = callOn('hvp', fn, inputs, createGraph);
  const y = onlyScalar('hvp', called.ys);
  const along = checkLike('hvp', 'vectors', v, called.xs);
  const gradients = gradOrZero([y], called.xs, [fullLike(1, y)], true);
  const product = gradOrZero(gradients, called.xs, along, createGraph);
  return { output: results(called, createGraph), product: likeGiven(inputs, product) };
}

/** One row for each element of `y`: the gradients of the inputs, stacked and shaped as [...y, ...input]. */
function jacobianOf(op: string, y: Tensor, xs: readonly Tensor[], createGraph: boolean): Tensor[] {
  if (!y.isFloat) fail(op, 'the function must return a float tensor', y.describe());
  const shapes = xs.map((x) => [...y.shape, ...x.shape]);
  shapes.forEach((shape) => {
    checkShape(op, shape);
  });
  if (!y.requiresGrad || y.size === 0) return xs.map((x, i) => zeros(shapes[i], { dtype: x.dtype }));
  const units = eye(y.size, y.size, { dtype: y.dtype });
  const rows = Array.from({ length: y.size }, (_, k) =>
    grad([y], xs, {
      gradOutputs: [units.select(0, k).reshape(y.shape)],
      createGraph,
      retainGraph: createGraph || k < y.size - 1,
      allowUnused: true,
    }),
  );
  return xs.map((x, i) =>
    stack(rows.map((row: readonly (Tensor | null)[]) => row[i] ?? zerosLike(x))).reshape(shapes[i]),
  );
}

/**
 * The Jacobian of `fn(...inputs)`: for each input all partial derivatives, of shape [...output, ...input]. One backward
 * pass for each element of the output. Throws when `fn` returns more than one tensor, an input is not of a float dtype, or
 * the Jacobian would have more than 8 dimensions.
 */
export function jacobian<X extends Tensors>(
  fn: (...xs: Tensor[]) => Tensor,
  inputs: X,
  options: DerivativeOptions = {},
): Like<X> {
  const createGraph = createsGraph('jacobian', options);
  const { xs, ys } = callOn('jacobian', fn, inputs, createGraph);
  if (ys.length !== 1) fail('jacobian', 'the function must return one tensor', `${ys.length} tensors`);
  return likeGiven(inputs, jacobianOf('jacobian', ys[0], xs, createGraph));
}

/**
 * The Hessian of `fn(input)`, one element: all second derivatives, of shape [...input, ...input]. One backward pass for
 * each element of the input. Throws when `fn` returns more than one element or the input is not of a float dtype.
 */
export function hessian(fn: (x: Tensor) => Tensor, input: Tensor, options: DerivativeOptions = {}): Tensor {
  const createGraph = createsGraph('hessian', options);
  if (!(input instanceof Tensor)) fail('hessian', 'input must be a tensor', show(input));
  const { xs, ys } = callOn('hessian', fn as (...xs: Tensor[]) => Tensor, input, createGraph);
  const y = onlyScalar('hessian', ys);
  const [g] = gradOrZero([y], xs, [fullLike(1, y)], true);
  return jacobianOf('hessian', g, xs, createGraph)[0];
}
