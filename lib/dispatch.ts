// From a call to the native side and back: check, shape rule, native call, record. Names no op.
import { record, wantsGrad } from './autograd/tape.js';
import { forgetCompleted, noteSubmission, retold } from './callsite.js';
import { collectGarbage } from './collect.js';
import { context } from './context.js';
import type { Meta, Op } from './define.js';
import { currentDevice } from './device.js';
import { type DType, dtypes } from './dtype.js';
import { AthanorError, fail } from './errors.js';
import { Block, block, type Handle, native, Role } from './native.js';
import { contiguousStrides, formatShape, numel, sameShape } from './shape.js';
import { giveSpare, Storage, takeSpare, takeSpares } from './storage.js';
import { Tensor } from './tensor.js';

/** An operand of a call: a tensor, or a number that takes the dtype of the tensors beside it. */
export type Operand = Tensor | number;

// The call being written: native.run() reads the block, and gets these handles as arguments.
const handles: (Handle | null)[] = [];
let count = 0;
let at = 0;
let device = 0; // where it runs

function room(op: string, numbers: number): void {
  if (at + numbers > block.length) fail(op, 'too many tensors in one call', `${count} tensors`);
}

function writeTensor(op: string, t: Tensor, role: number): void {
  const { shape, strides } = t;
  const ndim = shape.length;
  room(op, 4 + 2 * ndim);
  block[at++] = role;
  block[at++] = dtypes[t.dtype].code;
  block[at++] = ndim;
  for (let d = 0; d < ndim; d++) block[at++] = shape[d];
  block[at++] = t.offset;
  for (let d = 0; d < ndim; d++) block[at++] = strides[d];
  handles[count++] = t.storage.handle as Handle;
}

function writeOutput(op: string, meta: Meta): void {
  const { shape } = meta;
  room(op, 3 + shape.length);
  block[at++] = Role.output;
  block[at++] = dtypes[meta.dtype].code;
  block[at++] = shape.length;
  for (let d = 0; d < shape.length; d++) block[at++] = shape[d];
}

function writeNumber(value: number, dtype: DType): void {
  block[at++] = Role.scalar;
  block[at++] = dtypes[dtype].code;
  block[at++] = value;
}

const listOf = (out: Meta | readonly Meta[]) => (Array.isArray(out) ? (out as readonly Meta[]) : [out as Meta]);

const isInteger = (x: Operand) => x instanceof Tensor && !x.isFloat;

type Results = Handle | Handle[] | undefined;

/** Makes the call that was written, under the label that a tracer gives it. */
function call<A>(
  op: Op<A>,
  inputs: readonly Operand[],
  out: Meta | readonly Meta[],
  attrs: A,
  name = op.name,
): Results {
  const { stream, tracer } = context();
  block[Block.stream] = stream;
  block[Block.op] = op.code;
  block[Block.device] = device;
  block[Block.label] = tracer === null ? 0 : tracer.call(op as Op<never>, inputs, listOf(out), attrs);
  let result: Results | string;
  const h = handles as Handle[];
  if (count === 2) result = native.run(h[0], h[1]);
  else if (count === 3) result = native.run(h[0], h[1], h[2]);
  else if (count === 4) result = native.run(h[0], h[1], h[2], h[3]);
  else if (count === 1) result = native.run(h[0]);
  else if (count === 0) result = native.run();
  else result = native.run(h.slice(0, count));
  for (let i = 0; i < count; i++) handles[i] = null; // or the list would keep their memory alive
  if (typeof result === 'string') throw new AthanorError(result);
  if (block[Block.collect] !== 0) collectGarbage();
  const sequence = block[Block.sequence];
  if (sequence !== 0 && stream === 0) {
    forgetCompleted(block[Block.completed]); // before this one is noted: it may have failed already, and is told later
    if (block[Block.tight] !== 0 || op.refusesData || inputs.some(isInteger)) {
      noteSubmission(sequence, name === op.name ? null : { op: op.name, name });
    }
  }
  return result;
}

function failApart(op: Op<never>, tensors: readonly Operand[]): never {
  const places = tensors.flatMap((x) => (x instanceof Tensor ? [`${x.describe()} on ${x.device}`] : []));
  return fail(op.name, 'tensors are on different devices; move one with to()', places.join(' and '));
}

/** Throws unless every tensor among the operands is alive, and all are on one device: the call's. Returns the dtype that
 *  plain numbers take. */
function checkOperands(op: Op<never>, inputs: readonly Operand[]): DType {
  let dtype: DType | undefined;
  let where = -1;
  for (let i = 0; i < inputs.length; i++) {
    const x = inputs[i];
    if (x instanceof Tensor) {
      if (x.disposed) fail(op.name, 'the tensor was disposed of', `${op.inputs[i] ?? `input ${i}`} ${x.describe()}`);
      dtype ??= x.dtype;
      if (where === -1) where = x.storage.device;
      else if (where !== x.storage.device) failApart(op, inputs);
    }
  }
  device = where === -1 ? currentDevice() : where;
  return dtype ?? 'float32';
}

const scalarShape: readonly number[] = [];

/** The operands as a shape rule sees them; a number counts as a scalar of the tensors' dtype. */
function metasOf(inputs: readonly Operand[], dtype: DType): readonly Meta[] {
  for (let i = 0; i < inputs.length; i++) {
    if (!(inputs[i] instanceof Tensor)) {
      return inputs.map((x) => (x instanceof Tensor ? x : { shape: scalarShape, dtype }));
    }
  }
  return inputs as readonly Tensor[];
}

function writeInputs(op: string, inputs: readonly Operand[], dtype: DType): void {
  at = Block.header;
  count = 0;
  for (let i = 0; i < inputs.length; i++) {
    const x = inputs[i];
    if (x instanceof Tensor) {
      writeTensor(op, x, Role.input);
    } else {
      room(op, 3);
      writeNumber(x, dtype);
    }
  }
  block[Block.inputs] = inputs.length;
}

function writeAttrs<A>(op: Op<A>, attrs: A, inputs: readonly Meta[]): void {
  const packed = op.pack === undefined ? none : op.pack(attrs, inputs);
  room(op.name, packed.length);
  for (let i = 0; i < packed.length; i++) block[at++] = packed[i];
  block[Block.attrs] = packed.length;
}

const none: readonly number[] = [];

function inferAll<A>(op: Op<A>, metas: readonly Meta[], attrs: A): readonly Meta[] {
  return listOf(op.infer(metas, attrs));
}

function newTensor(handle: Handle, meta: Meta): Tensor {
  const { shape, dtype } = meta;
  const bytes = numel(shape) * dtypes[dtype].itemSize;
  return new Tensor(new Storage(handle, bytes, device), shape, contiguousStrides(shape), 0, dtype);
}

function viewOf<A>(op: Op<A>, x: Tensor, attrs: A): Tensor {
  const layout = (op.view as NonNullable<Op<A>['view']>)(x, attrs);
  return new Tensor(x.storage.retain(), layout.shape, layout.strides, layout.offset, x.dtype);
}

/** A copy of a dense tensor on another device. */
function transferOf<A>(op: Op<A>, x: Tensor, attrs: A): Tensor {
  const to = (op.transfer as NonNullable<Op<A>['transfer']>)(attrs);
  const { itemSize } = dtypes[x.dtype];
  const dense = x.isContiguous ? x : x.detach().contiguous();
  block[Block.stream] = context().stream;
  const handle = native.transfer(dense.storage.handle as Handle, dense.offset * itemSize, x.size * itemSize, to);
  if (dense !== x) dense.dispose();
  if (typeof handle === 'string') throw new AthanorError(handle);
  if (block[Block.collect] !== 0) collectGarbage();
  if (block[Block.stream] === 0) noteSubmission(block[Block.sequence], null);
  device = to;
  return newTensor(handle, x);
}

/**
 * Makes the call that writeInputs() began, for one output: into a spare handle if there is one. Beside runAll(), because
 * lists would be a tenth of what a small op costs.
 */
function runOne<A>(op: Op<A>, inputs: readonly Operand[], metas: readonly Meta[], out: Meta, attrs: A): Tensor {
  writeOutput(op.name, out);
  block[Block.outputs] = 1;
  writeAttrs(op, attrs, metas);
  const spare = takeSpare();
  block[Block.recycled] = spare === undefined ? 0 : 1;
  if (spare === undefined) return newTensor(call(op, inputs, out, attrs) as Handle, out);
  handles[count++] = spare;
  try {
    call(op, inputs, out, attrs);
  } catch (error) {
    giveSpare(spare, Infinity);
    throw error;
  }
  return newTensor(spare, out);
}

/** The same for any number of outputs, which all get spare handles, or none. */
function runAll<A>(
  op: Op<A>,
  inputs: readonly Operand[],
  metas: readonly Meta[],
  out: readonly Meta[],
  attrs: A,
): Tensor[] {
  for (const meta of out) writeOutput(op.name, meta);
  block[Block.outputs] = out.length;
  writeAttrs(op, attrs, metas);
  const spares = takeSpares(out.length);
  block[Block.recycled] = spares === null ? 0 : 1;
  if (spares === null) {
    const result = call(op, inputs, out, attrs) as Handle | Handle[];
    return out.map((meta, i) => newTensor(Array.isArray(result) ? result[i] : result, meta));
  }
  for (const spare of spares) handles[count++] = spare;
  try {
    call(op, inputs, out, attrs);
  } catch (error) {
    for (const spare of spares) giveSpare(spare, Infinity);
    throw error;
  }
  return out.map((meta, i) => newTensor(spares[i], meta));
}

/** Runs an op with several outputs. */
export function applyAll<A>(op: Op<A>, inputs: readonly Operand[], attrs: A): Tensor[] {
  const dtype = checkOperands(op as Op<never>, inputs);
  const metas = metasOf(inputs, dtype);
  const outMetas = inferAll(op, metas, attrs);
  const active = context();
  let out: Tensor[];
  if (op.view !== undefined) {
    out = [viewOf(op, inputs[0] as Tensor, attrs)];
  } else if (op.transfer !== undefined) {
    out = [transferOf(op, inputs[0] as Tensor, attrs)];
  } else {
    writeInputs(op.name, inputs, dtype);
    out = runAll(op, inputs, metas, outMetas, attrs);
  }
  if (active.scope !== null) active.scope.push(...out);
  if (active.grad && op.differentiable && wantsGrad(inputs)) record(op as Op<never>, inputs, out, attrs as never);
  return out;
}

/** Runs an op for its first output. */
export function apply<A>(op: Op<A>, inputs: readonly Operand[], attrs: A): Tensor {
  if (op.outputNames.length > 1) return applyAll(op, inputs, attrs)[0];
  const dtype = checkOperands(op as Op<never>, inputs);
  const metas = metasOf(inputs, dtype);
  const meta = op.infer(metas, attrs) as Meta;
  const active = context();
  let out: Tensor;
  if (op.view !== undefined) {
    out = viewOf(op, inputs[0] as Tensor, attrs);
  } else if (op.transfer !== undefined) {
    out = transferOf(op, inputs[0] as Tensor, attrs);
  } else {
    writeInputs(op.name, inputs, dtype);
    out = runOne(op, inputs, metas, meta, attrs);
  }
  if (active.scope !== null) active.scope.push(out);
  if (active.grad && op.differentiable && wantsGrad(inputs)) record(op as Op<never>, inputs, [out], attrs as never);
  return out;
}

function checkTarget(name: string, target: Tensor, meta: Meta): void {
  if (target.disposed) fail(name, 'the tensor was disposed of', target.describe());
  if (target.requiresGrad && context().grad) {
    fail(name, 'a tensor that requires grad is changed in place only inside noGrad', target.describe());
  }
  if (!sameShape(target.shape, meta.shape) || target.dtype !== meta.dtype) {
    const given = `target is ${target.describe()}, result is ${formatShape(meta.shape)} ${meta.dtype}`;
    fail(name, 'the target has another shape or dtype than the result', given);
  }
  // A contiguous empty tensor has strides of 0 too.
  if (target.size > 0 && target.shape.some((size, d) => size > 1 && target.strides[d] === 0)) {
    fail(name, 'an expanded tensor cannot be written in place', target.describe());
  }
}

/** Whether writing to `target` would change `x` at other places than those that are written. */
function overlaps(x: Operand, target: Tensor): boolean {
  return (
    x instanceof Tensor &&
    x.storage === target.storage &&
    (x.offset !== target.offset || !sameShape(x.strides, target.strides) || !sameShape(x.shape, target.shape))
  );
}

/** Whether no two targets share memory, and no input shares a target's in another layout. */
function apart(inputs: readonly Operand[], targets: readonly Tensor[]): boolean {
  let fine = true;
  for (const t of targets) {
    if (t.storage.target !== null) fine = false;
    t.storage.target = t;
  }
  for (let i = 0; fine && i < inputs.length; i++) {
    const x = inputs[i];
    const target = x instanceof Tensor ? x.storage.target : null;
    if (target !== null && x !== target) fine = !overlaps(x, target);
  }
  for (const t of targets) t.storage.target = null;
  return fine;
}

/** Inputs that share memory with a target in another layout would be read after it was written: they are copied first. */
function untangle(inputs: readonly Operand[], targets: readonly Tensor[]): readonly Operand[] {
  if (apart(inputs, targets)) return inputs;
  const clashes = (x: Operand) => x instanceof Tensor && targets.some((t) => overlaps(x, t));
  return inputs.some(clashes) ? inputs.map((x) => (clashes(x) ? (x as Tensor).clone() : x)) : inputs;
}

/**
 * Runs an op that writes into existing tensors: `targets` are its outputs. Each must have the shape and dtype that the
 * op's rule asks for. Not recorded. `name`: the function that was called, where it is not the op's.
 */
export function applyInto<A>(
  op: Op<A>,
  given: readonly Operand[],
  targets: readonly Tensor[],
  attrs: A,
  name = op.name,
): void {
  try {
    writeInto(op, given, targets, attrs, name);
  } catch (error) {
    throw name === op.name ? error : retold(error, op.name, name);
  }
}

function writeInto<A>(op: Op<A>, given: readonly Operand[], targets: readonly Tensor[], attrs: A, name: string): void {
  const dtype = checkOperands(op as Op<never>, given);
  if (!given.some((x) => x instanceof Tensor)) device = targets[0].storage.device;
  if (targets.some((t) => t.storage.device !== device)) failApart(op as Op<never>, [...given, ...targets]);
  const metas = metasOf(given, dtype);
  const outMetas = inferAll(op, metas, attrs);
  targets.forEach((target, i) => {
    checkTarget(op.name, target, outMetas[i]);
  });
  if (context().grad && op.differentiable && wantsGrad(given)) {
    const source = given.find((x) => x instanceof Tensor && x.requiresGrad) as Tensor;
    const wrong = 'a change in place is not recorded for gradients; use noGrad, detach() or a new tensor';
    fail(op.name, wrong, source.describe());
  }
  const inputs = untangle(given, targets);
  writeInputs(op.name, inputs, dtype);
  for (const target of targets) writeTensor(op.name, target, Role.inout);
  block[Block.outputs] = targets.length;
  block[Block.recycled] = 0;
  writeAttrs(op, attrs, metas);
  call(op, inputs, outMetas, attrs, name);
  for (const target of targets) target.storage.version++;
}
