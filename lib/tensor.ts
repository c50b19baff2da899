/// <reference lib="esnext.disposable" preserve="true" />
import { inspect } from 'node:util';
import type { BackwardOptions } from './autograd/backward.js';
import { backward } from './autograd/backward.js';
import type { GradHook, GradNode } from './autograd/tape.js';
import { plus } from './autograd/tensors.js';
import { context } from './context.js';
import { type DeviceName, deviceName } from './device.js';
import { type DataOf, type DType, dtypes, hostArray, type TypedArray } from './dtype.js';
import { fail, show } from './errors.js';
import type { Handle } from './native.js';
import type { Methods } from './ops/methods.js';
import { formatTensor, nest } from './print.js';
import { readAsync, readBlocking } from './read.js';
import { formatShape, isContiguous, numel, type Shape } from './shape.js';
import type { Storage } from './storage.js';

/** Nested arrays of numbers (or booleans), as `toArray` returns them. */
export type NestedArray = number | boolean | NestedArray[];

export interface Tensor extends Methods {}

/** The promise that `start` returns; a rejected one where it throws. */
function promised<R>(start: () => Promise<R>): Promise<R> {
  try {
    return start();
  } catch (error) {
    return Promise.reject(error);
  }
}

/**
 * A strided window on memory that the engine owns: `shape`, `dtype`, and, when it takes part in automatic
 * differentiation, `requiresGrad` and `grad`. Ops never change their operands (those that do end in an underscore) and
 * run on the device's stream: a call returns before its result exists, and `await t.data()` waits for it.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: see above
export class Tensor {
  /** The gradient that backward() accumulated here; null before, and for what is not a leaf. */
  grad: Tensor | null = null;
  /** @internal */ node: GradNode | null = null;
  /** @internal */ outputIndex = 0;
  /** @internal */ hooks: GradHook[] | null = null;
  /** @internal */ disposed = false;
  /** @internal Not to be disposed of by tidy(). */ kept = false;
  private leafRequiresGrad = false;

  /** @internal Use `tensor()`, `zeros()` and the like; takes over one hold on the storage. */
  constructor(
    /** @internal */ readonly storage: Storage,
    /** Sizes of the dimensions, outermost first. */
    readonly shape: Shape,
    /** Steps between neighbours along each dimension, in elements. */
    readonly strides: readonly number[],
    /** First element's place in the storage, in elements. */
    readonly offset: number,
    /** Element type. */
    readonly dtype: DType,
  ) {
    if (dtype === undefined)
      fail('Tensor', 'tensor() and the like make one, nn.parameter() a parameter', show(storage));
  }

  /** Number of dimensions. */
  get ndim(): number {
    return this.shape.length;
  }

  /** Number of elements. */
  get size(): number {
    return numel(this.shape);
  }

  /** Where the tensor lives: "cpu", "cuda:0". */
  get device(): DeviceName {
    return deviceName(this.storage.device);
  }

  /** Whether elements are float32, float64 or bfloat16: only such tensors have gradients. */
  get isFloat(): boolean {
    return dtypes[this.dtype].isFloat;
  }

  /** Whether elements lie in row-major order without gaps. */
  get isContiguous(): boolean {
    return isContiguous(this.shape, this.strides);
  }

  /** Not the result of a recorded op: backward() stores a gradient here if it requires one. */
  get isLeaf(): boolean {
    return this.node === null;
  }

  /** Whether gradients flow to this tensor. Settable on leaves of a float dtype only. */
  get requiresGrad(): boolean {
    return this.leafRequiresGrad || this.node !== null;
  }

  set requiresGrad(value: boolean) {
    if (this.node !== null) fail('requiresGrad', "only a leaf's can be set; use detach()", this.describe());
    if (value && !this.isFloat) fail('requiresGrad', 'only float tensors have gradients', this.describe());
    this.leafRequiresGrad = value;
  }

  /** @internal Makes this the output of a recorded call. */
  attach(node: GradNode, output: number): void {
    this.node = node;
    this.outputIndex = output;
  }

  /** `[2, 3] float32`: how messages show a tensor. */
  describe(): string {
    return `${formatShape(this.shape)} ${this.dtype}`;
  }

  // ---- data out

  private handleFor(op: string): Handle {
    if (this.disposed || this.storage.handle === null) fail(op, 'the tensor was disposed of', this.describe());
    return this.storage.handle;
  }

  /** This, or a copy without gaps, in the dtype that elements are read as. */
  private denseFor(op: string): Tensor {
    this.handleFor(op);
    const { readAs } = dtypes[this.dtype];
    if (this.isContiguous && readAs === undefined) return this;
    const view = this.detach();
    const dense = readAs === undefined ? view.clone() : view.cast(readAs);
    view.dispose();
    return dense;
  }

  private destination(): TypedArray {
    return hostArray('data', this.dtype, this.size);
  }

  /** Starts a read of the tensor as it lies. What the read needs it holds itself. */
  private reading<T extends TypedArray>(destination: T): Promise<T> {
    return readAsync(this.handleFor('data'), this.offset * dtypes[this.dtype].itemSize, destination);
  }

  // The functions that follow are not async: the frame of one would hold the tensor until the data is there, and what
  // hundreds of pending reads were made of could not be collected.

  /**
   * The elements in row-major order, as a new typed array of the dtype (bool: Uint8Array; bfloat16: Float32Array, which
   * holds them exactly). Never blocks the event loop.
   * Rejects with the failure of the op that should have made the data, or of any earlier one not yet reported.
   */
  data(): Promise<TypedArray> {
    return promised(() => {
      const dense = this.denseFor('data');
      const data = dense.reading(this.destination());
      if (dense !== this) dense.dispose();
      return data;
    });
  }

  /** Like {@link data}, but blocks the thread until the stream has got there. Throws where data() rejects. */
  dataSync(): TypedArray {
    const dense = this.denseFor('dataSync');
    const offset = dense.offset * dtypes[dense.dtype].itemSize;
    const out = readBlocking(dense.handleFor('dataSync'), offset, this.destination());
    if (dense !== this) dense.dispose();
    return out;
  }

  /** @internal The elements in row-major order as the bytes that they are stored in. */
  bytes(): Promise<Uint8Array> {
    const { itemSize, readAs } = dtypes[this.dtype];
    if (readAs === undefined) {
      return this.data().then(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength));
    }
    return promised(() => {
      this.handleFor('data');
      const view = this.detach();
      const dense = view.contiguous();
      const bytes = dense.reading(new Uint8Array(this.size * itemSize));
      dense.dispose();
      view.dispose();
      return bytes;
    });
  }

  /** Like {@link data}, typed: rejects unless the tensor has that dtype. */
  dataAs<D extends DType>(dtype: D): Promise<DataOf<D>> {
    return promised(() => {
      if (this.dtype !== dtype) fail('dataAs', 'the tensor has another dtype', `${show(dtype)} of ${this.describe()}`);
      return this.data() as Promise<DataOf<D>>;
    });
  }

  /** The only element, as a number (bool: 0 or 1). Never blocks. Rejects unless there is exactly one. */
  item(): Promise<number> {
    return promised(() => {
      if (this.size !== 1) fail('item', 'the tensor does not have exactly one element', this.describe());
      return this.data().then(([value]) => value);
    });
  }

  /** Like {@link item}, but blocks the thread until the value is there. */
  itemSync(): number {
    if (this.size !== 1) fail('itemSync', 'the tensor does not have exactly one element', this.describe());
    return this.dataSync()[0];
  }

  /** The elements as nested arrays, one level a dimension (bool: true and false). Never blocks. */
  toArray(): Promise<NestedArray> {
    const { shape, dtype } = this;
    return this.data().then((data) => nest(data, shape, dtype));
  }

  /** Like {@link toArray}, but blocks. */
  toArraySync(): NestedArray {
    return nest(this.dataSync(), this.shape, this.dtype);
  }

  // ---- autograd

  /**
   * Computes the gradients of this tensor with respect to all leaves that require grad and adds them to their `grad`:
   * reverse-mode differentiation, the vector-Jacobian product with `gradient` (default 1, for a single element).
   * Throws when nothing requires grad, when the graph was already released, or when a saved tensor was changed in place.
   */
  backward(gradient?: Tensor, options: BackwardOptions = {}): void {
    backward(this, gradient, options);
  }

  /** A view of the same memory that no gradient flows through. */
  detach(): Tensor {
    const out = this.alias();
    context().scope?.push(out);
    return out;
  }

  /**
   * Calls `hook` with this tensor's gradient when a backward pass has it complete; a tensor that it returns takes the
   * gradient's place. Returns a function that removes the hook. Throws when the tensor does not require grad.
   */
  registerHook(hook: GradHook): () => void {
    if (typeof hook !== 'function') fail('registerHook', 'the hook must be a function', show(hook));
    if (!this.requiresGrad) fail('registerHook', 'the tensor does not require grad', this.describe());
    let hooks: GradHook[];
    if (this.node === null) {
      this.hooks ??= [];
      hooks = this.hooks;
    } else {
      this.node.hooks ??= [];
      this.node.hooks[this.outputIndex] ??= [];
      hooks = this.node.hooks[this.outputIndex] as GradHook[];
    }
    hooks.push(hook);
    return () => {
      const i = hooks.indexOf(hook);
      if (i >= 0) hooks.splice(i, 1);
    };
  }

  /** Makes backward() store the gradient of this intermediate tensor in its `grad`, as it does for leaves. */
  retainGrad(): this {
    if (!this.requiresGrad) fail('retainGrad', 'the tensor does not require grad', this.describe());
    if (this.node !== null) {
      this.registerHook((g) => {
        this.grad = this.grad === null ? g : plus(this.grad, g);
      });
    }
    return this;
  }

  // ---- lifetime

  /** @internal The same window without graph or scope: a holder of its own on the memory. */
  alias(): Tensor {
    if (this.disposed) fail('detach', 'the tensor was disposed of', this.describe());
    return new Tensor(this.storage.retain(), this.shape, this.strides, this.offset, this.dtype);
  }

  /** @internal A disposed tensor that the graph still holds, alive again for its gradient. */
  revived(): Tensor {
    const out = new Tensor(this.storage.retain(), this.shape, this.strides, this.offset, this.dtype);
    out.node = this.node;
    out.outputIndex = this.outputIndex;
    out.leafRequiresGrad = this.leafRequiresGrad;
    return out;
  }

  /**
   * Frees the memory now, unless a view, or a graph that needs it for a gradient, still holds it. Using the tensor
   * afterwards is an error; disposing of it again is not. Never required: the garbage collector does the same later.
   */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.storage.release();
  }

  /** `using t = ...` disposes of it at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The shape, dtype and values, shortened where there are many. Blocks until they are there. */
  toString(): string {
    return formatTensor(this);
  }

  /**
   * Template strings show the tensor. Throws where JavaScript wants a number: `t < 0.5` would be false whatever `t` holds,
   * and `t + 1` a string; there are `lt()` and `add()`, and `await t.item()` for the value.
   */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === 'string') return this.toString();
    return fail('Tensor', 'a tensor is no number; use its methods, or await item() for its value', this.describe());
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }
}
