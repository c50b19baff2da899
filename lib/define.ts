// The op row: everything that is known of one op. The exported function of an op is made from its row, and the generic
// suite, the benchmarks and the support table read it. Nothing here names an op.
import type { DType } from './dtype.js';
import { fail } from './errors.js';
import { nativeOp } from './native.js';
import { formatShape, type Shape } from './shape.js';
import type { Tensor } from './tensor.js';

/** What a shape rule sees of an operand. */
export interface Meta {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A window on a storage, as a view rule returns it: strides and offset in elements. */
export interface Layout {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

/** A dense float64 array with a shape: what references compute with. */
export interface RefArray {
  readonly shape: Shape;
  readonly data: Float64Array;
}

/** Floating-point operations, and bytes that must cross the memory bus at least once. */
export interface Cost {
  readonly flops: number;
  readonly bytes: number;
}

/** What a gradient rule is told beside the incoming gradient and the saved tensors. */
export interface VjpContext<A> {
  readonly attrs: A;
  /** Shapes and dtypes of the inputs. */
  readonly inputs: readonly Meta[];
  /** Which inputs want a gradient. */
  readonly needs: readonly boolean[];
  /** Gradients of all outputs; null where nothing depends on that output. `g` is the first of them that is there. */
  readonly gs: readonly (Tensor | null)[];
}

/** The saved tensors, by the names in `save`. */
export type Saved = Readonly<Record<string, Tensor>>;

/**
 * The gradient of one input, given the gradient `g` of the output: written in tensor ops, so that it differentiates
 * again, and reading only what `save` names. It may keep the output's (broadcast) shape: the engine sums it down.
 */
export type Vjp<A> = (g: Tensor, saved: Saved, context: VjpContext<A>) => Tensor | number;

/** "zero": flat wherever it is defined. "none": not differentiable by this input (an index, a label). */
export type VjpRule<A> = Vjp<A> | 'zero' | 'none';

/** Gradients of all inputs together, for ops whose gradients share work. */
export type JointVjp<A> = (g: Tensor, saved: Saved, context: VjpContext<A>) => readonly (Tensor | null)[];

/** An op row. `A` is what its attributes are. */
export interface Row<A = unknown> {
  readonly name: string;
  /** Names of the inputs, in order; the last stands for all that follow when `variadic`. */
  readonly inputs: readonly string[];
  readonly variadic?: boolean;
  /** Names of the outputs; `["out"]` when absent. */
  readonly outputs?: readonly string[];
  /** The shape and dtype rule: checks the call and says what comes out. Throws the op's errors. */
  readonly infer: (inputs: readonly Meta[], attrs: A) => Meta | readonly Meta[];
  /** The attributes as numbers for the native kernel. */
  readonly pack?: (attrs: A, inputs: readonly Meta[]) => readonly number[];
  /** Inputs and outputs, by name, that the gradient reads. */
  readonly save?: readonly string[];
  /** Required: one rule for each input (a variadic op: one joint rule). */
  readonly vjp: readonly VjpRule<A>[] | { readonly joint: JointVjp<A> };
  /** The same in float64, written for clarity: the oracle of the tests. */
  readonly ref: (inputs: readonly RefArray[], attrs: A) => RefArray | readonly RefArray[];
  readonly cost: (inputs: readonly Meta[], outputs: readonly Meta[], attrs: A) => Cost;
  /** For ops that move no data: the layout of the result. Such a row has no native kernel. */
  readonly view?: (input: Layout, attrs: A) => Layout;
  /** For ops that copy a tensor to another device as it is: the device's number. Such a row has no native kernel. */
  readonly transfer?: (attrs: A) => number;
  /** Its kernel may refuse the data of float operands; that of integers (indices, labels) is always suspect. */
  readonly refusesData?: boolean;
  /** What comes out is for other kernels of this process alone: its order follows from the instruction set. */
  readonly opaque?: boolean;
  /** Outputs depend on a random stream, not on inputs alone. */
  readonly random?: boolean;
  /** Its kernels take and give bfloat16 too, as views do. */
  readonly bfloat16?: boolean;
}

/** A declared row: the row and its place in the native table (-1 for views). */
export interface Op<A = unknown> extends Row<A> {
  readonly code: number;
  readonly differentiable: boolean;
  readonly jointVjp: JointVjp<A> | null;
  readonly outputNames: readonly string[];
}

const registry = new Map<string, Op<never>>();

/** The row's shape rule, with bfloat16 refused first where its kernels know nothing of it. */
function inferOf<A>({ name, infer, view, bfloat16 }: Row<A>): Row<A>['infer'] {
  if (view !== undefined || bfloat16) return infer;
  const check = (metas: readonly Meta[]) => {
    for (let i = 0; i < metas.length; i++) {
      if (metas[i].dtype === 'bfloat16') {
        fail(name, 'not computed in bfloat16; use to("float32")', `${formatShape(metas[i].shape)} bfloat16`);
      }
    }
  };
  return (inputs, attrs) => {
    check(inputs);
    const out = infer(inputs, attrs);
    if (Array.isArray(out)) check(out);
    else if ((out as Meta).dtype === 'bfloat16') check([out as Meta]);
    return out;
  };
}

/** Declares a row: checks it against the native table and enters it in the list that the suite loops over. */
export function defineOp<A>(row: Row<A>): Op<A> {
  if (registry.has(row.name)) throw new Error(`op row ${row.name} is declared twice`);
  const rules = row.vjp as readonly VjpRule<A>[];
  const joint = Array.isArray(row.vjp) ? null : (row.vjp as { joint: JointVjp<A> }).joint;
  if (joint === null && !row.variadic && rules.length !== row.inputs.length) {
    throw new Error(`op row ${row.name}: ${row.inputs.length} inputs but ${rules.length} gradient rules`);
  }
  const op: Op<A> = {
    ...row,
    infer: inferOf(row),
    code: row.view || row.transfer ? -1 : nativeOp(row.name),
    differentiable: joint !== null || rules.some((rule) => rule !== 'none'),
    jointVjp: joint,
    outputNames: row.outputs ?? ['out'],
  };
  registry.set(row.name, op as Op<never>);
  return op;
}

/** All declared rows, by name. */
export function ops(): ReadonlyMap<string, Op<never>> {
  return registry;
}
