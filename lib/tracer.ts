// What somebody who watches a piece of running code hears: the profiler is one, the benchmarks use another. It hangs in the
// context of the code that it watches, so code that runs beside it is not seen.
import type { GradNode } from './autograd/tape.js';
import type { Meta, Op } from './define.js';
import type { Operand } from './dispatch.js';
import type { AnyModule } from './nn/module.js';

/** Watches the op calls, the gradients and the modules of one context. */
export interface Tracer {
  /**
   * A native call is about to be made. Returns the label under which native code notes when it ran: a whole number, or 0
   * for a call that is not to be timed.
   */
  call(op: Op<never>, inputs: readonly Operand[], outputs: readonly Meta[], attrs: unknown): number;
  /** A call was recorded for the backward pass. */
  recorded(node: GradNode): void;
  /** The backward pass begins with the gradients of a node; the function returned is called when it has them. */
  backward(node: GradNode): () => void;
  /** A module's forward begins; the function returned is called when it has ended. */
  forward(module: AnyModule): () => void;
}
