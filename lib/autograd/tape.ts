// What is recorded of an op call: which op, which inputs it depends on, and the tensors its gradient will read.

import { context } from '../context.js';
import type { Meta, Op, Saved } from '../define.js';
import type { Operand } from '../dispatch.js';
import { fail } from '../errors.js';
import { Tensor } from '../tensor.js';

/** Where the gradient of an input goes: to an output of an earlier node, or to a leaf. Null: nowhere. */
export type Edge = { readonly node: GradNode; readonly output: number } | { readonly leaf: Tensor } | null;

/** Called with a gradient when it is complete; what it returns takes its place. */
export type GradHook = (grad: Tensor) => Tensor | void;

/** A tensor kept for the backward pass. It holds its memory itself, so dispose() and tidy() cannot take it away. */
class SavedTensor {
  private readonly version: number;
  constructor(
    private readonly tensor: Tensor,
    private readonly name: string,
  ) {
    tensor.storage.retain();
    this.version = tensor.storage.version;
  }

  unpack(op: string): Tensor {
    const t = this.tensor;
    if (t.storage.version !== this.version) {
      fail(
        `backward of ${op}`,
        `${this.name} was changed in place after it was saved for the gradient; change a clone() instead`,
        `${t.describe()} at version ${t.storage.version}, saved at ${this.version}`,
      );
    }
    if (!t.disposed) return t;
    const revived = t.revived();
    context().scope?.push(revived);
    return revived;
  }

  release(): void {
    this.tensor.storage.release();
  }
}

let nextId = 1;

/** One recorded call. */
export class GradNode {
  /** Rises with every recorded call, so a consumer's id is always above its inputs'. */
  readonly id = nextId++;
  readonly edges: Edge[];
  readonly inputs: readonly Meta[];
  readonly outputs: readonly Meta[];
  /** Hooks on the gradients of the outputs. */
  hooks: (GradHook[] | undefined)[] | null = null;
  private saved: Map<string, SavedTensor> | null;

  constructor(
    readonly op: Op<never>,
    inputs: readonly Operand[],
    outputs: readonly Tensor[],
    readonly attrs: never,
  ) {
    this.edges = inputs.map(edgeOf);
    this.inputs = inputs.map(metaOf);
    this.outputs = outputs.map(metaOf);
    this.saved = new Map();
    for (const name of op.save ?? []) {
      const input = op.inputs.indexOf(name);
      const t = input >= 0 ? inputs[input] : outputs[op.outputNames.indexOf(name)];
      if (t instanceof Tensor) this.saved.set(name, new SavedTensor(t, name));
      else if (t !== undefined) this.numbers = { ...this.numbers, [name]: t };
    }
  }

  /** Saved operands that were plain numbers. */
  private numbers: Record<string, number> | null = null;

  /** The saved tensors by name. Throws when one was changed in place, or when an earlier backward() released them. */
  unpack(makeScalar: (value: number, like: Meta) => Tensor): Saved {
    if (this.saved === null) {
      fail(
        `backward of ${this.op.name}`,
        'the graph was already used and released; pass { retainGraph: true } to the earlier backward() or grad()',
      );
    }
    const out: Record<string, Tensor> = {};
    for (const [name, tensor] of this.saved) out[name] = tensor.unpack(this.op.name);
    for (const name in this.numbers)
      out[name] = makeScalar(this.numbers[name], { shape: [], dtype: this.outputs[0].dtype });
    return out;
  }

  /** Lets go of the saved tensors. */
  release(): void {
    if (this.saved === null) return;
    for (const tensor of this.saved.values()) tensor.release();
    this.saved = null;
  }
}

function metaOf(x: Operand): Meta {
  return x instanceof Tensor ? { shape: x.shape, dtype: x.dtype } : { shape: [], dtype: 'float64' };
}

function edgeOf(x: Operand): Edge {
  if (!(x instanceof Tensor) || !x.requiresGrad) return null;
  return x.node === null ? { leaf: x } : { node: x.node, output: x.outputIndex };
}

/** Whether a call on these operands is to be recorded. */
export function wantsGrad(inputs: readonly Operand[]): boolean {
  for (let i = 0; i < inputs.length; i++) {
    const x = inputs[i];
    if (x instanceof Tensor && x.requiresGrad) return true;
  }
  return false;
}

/** Records a call: its float outputs now depend on its inputs. */
export function record(op: Op<never>, inputs: readonly Operand[], outputs: readonly Tensor[], attrs: never): void {
  // Every rule of an input that requires grad may be "none" (an index): then nothing flows.
  if (op.jointVjp === null) {
    const rules = op.vjp as readonly unknown[];
    if (!inputs.some((x, i) => x instanceof Tensor && x.requiresGrad && rules[i] !== 'none')) return;
  }
  const node = new GradNode(op, inputs, outputs, attrs);
  context().tracer?.recorded(node);
  outputs.forEach((out, i) => {
    if (out.isFloat) out.attach(node, i);
  });
}
