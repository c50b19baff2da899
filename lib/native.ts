// Finds and loads the addon, and shares the command block with it.
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { DeviceName } from './device.js';
import { AthanorError } from './errors.js';

/** What a JavaScript tensor holds of its memory; only native code looks inside. */
export type Handle = { readonly __handle: unique symbol };

/** What one loaded copy of lib/ talks to; native/napi/door.h describes each function. A string is the reason of a failure. */
interface Session {
  readonly ops: readonly string[];
  run(...handles: (Handle | Handle[])[]): Handle | Handle[] | undefined | string;
  upload(data: ArrayBufferView, device: number): Handle | string;
  transfer(handle: Handle, offsetBytes: number, bytes: number, device: number): Handle | string;
  read(handle: Handle, offsetBytes: number, destination: ArrayBufferView, mode: 0 | 1): number | undefined | string;
  release(handle: Handle): void;
  synchronize(): string | undefined;
  takeFailure(): string | undefined;
  takeTimes(): Float64Array;
  nothing(): void;
  measure(request: RoofRequest): Promise<Float64Array>;
  roofs(): Record<string, string[]>;
}

/** One measurement of a roof; native/core/roofs.h describes it. */
export interface RoofRequest {
  /** 0: the CPU, for which alone `isa` and `threads` count. */
  readonly device: number;
  readonly isa: string;
  readonly what: string;
  readonly threads: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly windows: number;
}

/** The addon. */
interface Binding {
  open(block: Float64Array, onRead: (id: number, message?: string, sequence?: number) => void): Session | string;
  openDevices(file: string): string;
  devices(): {
    device: DeviceName;
    name: string;
    memoryBytes: number;
    multiprocessors: number;
    cacheBytes: number;
    architecture: string;
  }[];
  memory(device: number): {
    buffers: number;
    bytes: number;
    allocatedBytes: number;
    cachedBytes: number;
    peakBytes: number;
    limitBytes: number;
    systemCalls: number;
  };
  configure(options: {
    device?: number;
    memoryLimit?: number;
    threads?: number;
    trim?: number;
    resetPeak?: boolean;
    collected?: boolean;
    float32Precision?: number;
  }): void;
  info(): { isa: string; isaLevels: string[]; blas: string; threads: number; compiler: string; synchronous: boolean };
  kernels(op: number, device?: number): string[];
  forceKernel(op: number, index: number, device?: number): void;
}

/** The command block's header; native/napi/door.h has the same numbers. */
export const Block = {
  inputs: 0,
  outputs: 1,
  attrs: 2,
  stream: 3,
  sequence: 4,
  completed: 5,
  op: 6,
  recycled: 7,
  label: 8,
  tight: 9,
  collect: 10,
  device: 11,
  header: 12,
} as const;

/** Roles of an operand; native/core/task.h has the same numbers. */
export const Role = { input: 0, output: 1, inout: 2, scalar: 3 } as const;

const root = path.resolve(__dirname, '..');

function load(): Binding {
  try {
    return (require('node-gyp-build') as (folder: string) => Binding)(root);
  } catch (cause) {
    const { name, version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
    const why = (cause as { message?: string })?.message ?? String(cause);
    throw new AthanorError(
      [
        `${name} ${version} could not load its native binary (${process.platform}-${process.arch}, node ${process.versions.node}).`,
        why.trim(),
        'What to try:',
        `  1. npm rebuild ${name} --foreground-scripts   (builds it here: needs CMake >= 3.18 and a C++17 compiler)`,
        `  2. npm >= 12 blocks install scripts: npm approve-scripts ${name}, then the command above`,
      ].join('\n'),
      { cause },
    );
  }
}

const binding = load();

/** Where a call is written before it is made: both sides see this memory. 64 Ki numbers: about 10,000 operands. */
export const block = new Float64Array(1 << 16);

let onRead: (id: number, message?: string, sequence?: number) => void = () => {};

/** Says who hears of reads that have ended. */
export function setReadListener(listener: typeof onRead): void {
  onRead = listener;
}

const session = binding.open(block, (id, message, sequence) => onRead(id, message, sequence));
if (typeof session === 'string') throw new AthanorError(session);

/** The door to native code. */
export const native: Omit<Binding, 'open'> & Session = { ...binding, ...session };

const codes = new Map(native.ops.map((name, code) => [name, code]));
const unclaimed = new Set(native.ops);

/** The number of a native op. Throws when the addon has no such op: it was built from other sources than lib/. */
export function nativeOp(name: string): number {
  const code = codes.get(name);
  if (code === undefined) {
    throw new AthanorError(
      `native op table: lib/ has a row the addon lacks: ${name}; rebuild it with npm run build:native`,
    );
  }
  unclaimed.delete(name);
  return code;
}

/** Throws when the addon has ops that no row of lib/ claims. Called once all rows are declared. */
export function checkOpTable(): void {
  if (unclaimed.size > 0) {
    const list = [...unclaimed].join(', ');
    throw new AthanorError(`native op table: the addon has ops without a row in lib/: ${list}; rebuild it`);
  }
}
