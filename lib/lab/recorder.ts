// What happened while a function ran: each op call with its cost, the module and the pass that made it, and when it ran.
import type { GradNode } from '../autograd/tape.js';
import type { Cost, Meta, Op } from '../define.js';
import type { Operand } from '../dispatch.js';
import type { DType } from '../dtype.js';
import type { AnyModule } from '../nn/module.js';
import { bytesOf } from '../ops/cost.js';
import { formatShape } from '../shape.js';
import { Tensor } from '../tensor.js';
import type { Tracer } from '../tracer.js';

/** In which pass a call was made; "other": neither in a module nor in a backward pass, for example by an optimizer. */
export type Phase = 'forward' | 'backward' | 'other';

/** Where a call was made: a module within a root module. */
export interface Scope {
  /** The names on the way: the root's class first, `["Net", "layer1", "0", "conv"]`. */
  readonly names: readonly string[];
  /** The class of the module. */
  readonly type: string;
}

/** One op call. */
export interface CallRecord {
  readonly op: string;
  readonly phase: Phase;
  readonly scope: Scope | null;
  readonly cost: Cost;
  /** The part of its bytes that is written. */
  readonly written: number;
  readonly dtype: DType;
  /** `[64, 3, 7, 7] [64]`: the shapes of its inputs. */
  readonly shapes: string;
  readonly stream: 0 | 1;
  /** When it ran, in nanoseconds of process.hrtime; NaN until it has. */
  start: number;
  end: number;
}

/** A stretch of time on the JavaScript thread: a module's forward, or the gradients of one recorded call. */
export interface Span {
  readonly name: string;
  readonly phase: 'forward' | 'backward';
  readonly start: number;
  readonly end: number;
}

interface Frame {
  readonly module: AnyModule;
  readonly scope: Scope;
  readonly root: ReadonlyMap<AnyModule, string>;
}

function now(): number {
  return Number(process.hrtime.bigint());
}

function metaOf(x: Operand, dtype: DType): Meta {
  return x instanceof Tensor ? { shape: x.shape, dtype: x.dtype } : { shape: [], dtype };
}

/** A tracer that writes everything down. */
export class Recorder implements Tracer {
  readonly calls: CallRecord[] = [];
  readonly spans: Span[] = [];
  private readonly frames: Frame[] = [];
  private readonly scopes = new WeakMap<GradNode, Scope>();
  private node: { readonly scope: Scope | null } | null = null;

  constructor(private readonly streamOf: () => 0 | 1) {}

  private get scope(): Scope | null {
    if (this.node !== null) return this.node.scope;
    return this.frames[this.frames.length - 1]?.scope ?? null;
  }

  call(op: Op<never>, inputs: readonly Operand[], outputs: readonly Meta[], attrs: unknown): number {
    const dtype = inputs.find((x): x is Tensor => x instanceof Tensor)?.dtype ?? outputs[0]?.dtype ?? 'float32';
    const metas = inputs.map((x) => metaOf(x, dtype));
    const results = outputs.map(({ shape, dtype }) => ({ shape, dtype }));
    const cost = op.cost(metas, results, attrs as never);
    this.calls.push({
      op: op.name,
      phase: this.node !== null ? 'backward' : this.frames.length > 0 ? 'forward' : 'other',
      scope: this.scope,
      cost,
      written: cost.bytes > 0 ? Math.min(1, bytesOf(results) / cost.bytes) : 0,
      dtype,
      shapes: metas.map((m) => formatShape(m.shape)).join(' '),
      stream: this.streamOf(),
      start: Number.NaN,
      end: Number.NaN,
    });
    return this.calls.length;
  }

  recorded(node: GradNode): void {
    const { scope } = this;
    if (scope !== null) this.scopes.set(node, scope);
  }

  backward(node: GradNode): () => void {
    const outer = this.node;
    const scope = this.scopes.get(node) ?? null;
    const start = now();
    this.node = { scope };
    return () => {
      this.node = outer;
      const name = [...(scope?.names ?? []), node.op.name].join('.');
      this.spans.push({ name, phase: 'backward', start, end: now() });
    };
  }

  forward(module: AnyModule): () => void {
    const top = this.frames[this.frames.length - 1];
    if (top?.module === module) return () => {}; // super.forward(): the same module
    const type = module.constructor.name;
    const root = top?.root ?? new Map(module.namedModules().map(([name, m]) => [m, name]));
    const path = root.get(module);
    const below = path === undefined ? undefined : path === '' ? [] : path.split('.');
    // A module that no field shows is named by its class, below the one that runs it.
    const names = below === undefined ? [...top.scope.names, type] : [top?.scope.names[0] ?? type, ...below];
    const start = now();
    this.frames.push({ module, scope: { names, type }, root });
    return () => {
      this.frames.pop();
      this.spans.push({ name: names[names.length - 1], phase: 'forward', start, end: now() });
    };
  }

  /** Takes in when calls ran: label, start and end of each. */
  timesOf(times: Float64Array): void {
    for (let i = 0; i + 2 < times.length; i += 3) {
      const call = this.calls[times[i] - 1];
      if (call !== undefined) Object.assign(call, { start: times[i + 1], end: times[i + 2] });
    }
  }
}
