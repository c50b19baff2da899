// What tells a module's state from other tensors in its fields: a class of its own, which survives freezing.
import { withModes } from '../context.js';
import { fail, show } from '../errors.js';
import { keep } from '../memory.js';
import { checkFlag, checkOptions } from '../options.js';
import { Tensor } from '../tensor.js';

/** A tensor that a module learns: a leaf that requires grad unless it is frozen. Made by {@link parameter}. */
export class Parameter extends Tensor {}

/** A tensor that a module carries along without learning it, such as running statistics. Made by {@link buffer}. */
export class Buffer extends Tensor {
  /** Whether the state dict has it. */
  persistent = true;
}

type Kind<T extends Tensor> = new (...args: ConstructorParameters<typeof Tensor>) => T;

/** A tensor of another class on the memory of `t`, out of every tidy(); dense, because it is going to be written to. */
export function adopt<T extends Tensor>(op: string, kind: Kind<T>, t: Tensor): T {
  if (!(t instanceof Tensor)) fail(op, 'a tensor was expected', show(t));
  if (t.disposed) fail(op, 'the tensor was disposed of', t.describe());
  const dense = t.isContiguous ? t : withModes({ grad: false, scope: null }, () => t.clone());
  const { storage, shape, strides, offset, dtype } = dense;
  if (dense === t) storage.retain();
  return keep(new kind(storage, shape, strides, offset, dtype)) as T;
}

/**
 * Makes a tensor a parameter: a leaf on the same memory (a copy when `t` is not contiguous) that modules recognise when
 * it is assigned to a field. It survives tidy(). `requiresGrad: false` makes it a frozen one. Throws unless `t` is a
 * float tensor.
 */
export function parameter(t: Tensor, options: { readonly requiresGrad?: boolean } = {}): Parameter {
  const { requiresGrad = true } = checkOptions('parameter', options, ['requiresGrad']);
  checkFlag('parameter', 'requiresGrad', requiresGrad);
  const out = adopt('parameter', Parameter, t);
  if (!out.isFloat) {
    out.dispose();
    fail('parameter', 'only float tensors can be learnt; use nn.buffer() for others', out.describe());
  }
  out.requiresGrad = requiresGrad;
  return out;
}

/**
 * Makes a tensor a buffer: part of a module's state that is saved and moved with it but not learnt. It shares the
 * memory of `t` (a copy when `t` is not contiguous) and survives tidy(). `persistent: false` keeps it out of the state
 * dict.
 */
export function buffer(t: Tensor, options: { readonly persistent?: boolean } = {}): Buffer {
  const { persistent = true } = checkOptions('buffer', options, ['persistent']);
  checkFlag('buffer', 'persistent', persistent);
  const out = adopt('buffer', Buffer, t);
  out.persistent = persistent;
  return out;
}
