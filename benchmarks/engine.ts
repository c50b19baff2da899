// What the benchmarks need of the engine's inside: to see which rows a public call runs, and to run those again.
import * as path from 'node:path';
import { root } from './root.js';

type Context = typeof import('../dist/context.js');
type Define = typeof import('../dist/define.js');
type Dispatch = typeof import('../dist/dispatch.js');
type Tracer = import('../dist/tracer.js').Tracer;

// By path, since package.json keeps these modules to the package: they are the very ones that 'athanor' loads.
const load = (file: string) => require(path.join(root, 'dist', file));
const { runIn }: Context = load('context.js');
const { ops }: Define = load('define.js');
const { applyAll }: Dispatch = load('dispatch.js');

type Operand = Parameters<Dispatch['applyAll']>[1][number];
type Tensor = Extract<Operand, object>;
type Meta = Parameters<Tracer['call']>[2][number];

/** One native call of a row: what it was given, and what it costs. */
export interface Call {
  readonly row: string;
  readonly flops: number;
  readonly bytes: number;
  readonly written: number;
  readonly dtype: Meta['dtype'];
  readonly backward: boolean;
  /** What comes out is for other kernels alone, such as a packed weight. */
  readonly opaque: boolean;
  /** Runs the row again on the same inputs and frees what it makes. */
  again(): void;
}

const itemSizes: Readonly<Record<string, number>> = {
  float32: 4,
  float64: 8,
  bfloat16: 2,
  int32: 4,
  uint8: 1,
  bool: 1,
};

function bytesOf({ shape, dtype }: Meta): number {
  return shape.reduce((n, size) => n * size, itemSizes[dtype] ?? 4);
}

/** The same window on the same memory, which no scope and no pass disposes of. */
function held(x: Operand): Operand {
  return typeof x === 'number' ? x : (x as unknown as { alias(): Tensor }).alias();
}

/**
 * Runs a function and returns what it returned, and every native call that it made. Only where `repeatable` do calls hold
 * on to their inputs and may be run again.
 */
export function callsOf<R>(fn: () => R, repeatable = false): { readonly result: R; readonly calls: readonly Call[] } {
  const calls: Call[] = [];
  let backward = 0;
  const tracer: Tracer = {
    call(op, inputs, outputs, attrs) {
      const operands = repeatable ? inputs.map(held) : [];
      const dtype = inputs.find((x): x is Tensor => typeof x !== 'number')?.dtype ?? outputs[0]?.dtype ?? 'float32';
      const metas = inputs.map((x) =>
        typeof x === 'number' ? { shape: [], dtype } : { shape: x.shape, dtype: x.dtype },
      );
      const { flops, bytes } = op.cost(metas, outputs, attrs as never);
      const written = Math.min(
        bytes,
        outputs.map(bytesOf).reduce((a, b) => a + b, 0),
      );
      const again = () => {
        for (const out of applyAll(op, operands, attrs as never)) out.dispose();
      };
      calls.push({
        row: op.name,
        flops,
        bytes,
        written,
        dtype,
        backward: backward > 0,
        opaque: op.opaque === true,
        again,
      });
      return 0;
    },
    recorded() {},
    backward() {
      backward++;
      return () => {
        backward--;
      };
    },
    forward: () => () => {},
  };
  const result = runIn({ tracer }, fn);
  return { result, calls };
}

/** The names of all rows that have kernels. */
export function rowNames(): string[] {
  return [...ops()].filter(([, op]) => op.view === undefined && op.transfer === undefined).map(([name]) => name);
}
