import { type Handle, native } from './native.js';
import type { Tensor } from './tensor.js';

// Handles that nobody uses any more. Making an external costs more than a small op, so calls fill these again; what is
// small even keeps its memory until then, which saves the call that would free it.
const spares: Handle[] = [];
const maxSpares = 64;
const smallBytes = 4096;

/** A handle to fill again, if there is one. */
export function takeSpare(): Handle | undefined {
  return spares.pop();
}

/** `count` handles to fill again, or null when there are not as many. */
export function takeSpares(count: number): Handle[] | null {
  return count === 0 || spares.length < count ? null : spares.splice(spares.length - count);
}

/** Takes a handle that nobody uses any more; frees its memory if that is not small. */
export function giveSpare(handle: Handle, bytes: number): void {
  if (spares.length < maxSpares) {
    if (bytes > smallBytes) native.release(handle);
    spares.push(handle);
  } else {
    native.release(handle);
  }
}

/** Frees what spare handles still hold, before memory is counted. */
export function emptySpares(): void {
  for (const handle of spares) native.release(handle);
}

/** Memory shared by a tensor and its views. Counts who holds it, so that the last dispose() frees it at once; what is never
 *  disposed of is freed by the garbage collector together with the handle. */
export class Storage {
  /** Null once freed. */
  handle: Handle | null;
  /** @internal What the call that is being prepared will write here; null between calls. */
  target: Tensor | null = null;
  /** @internal What was made of the contents and is freed with them: see ops/packed.ts. */
  derived: { dispose(): void } | null = null;
  /** Rises with every change in place; autograd compares it. */
  version = 0;
  private holders = 1;

  constructor(
    handle: Handle,
    private readonly bytes: number,
    /** Number of the device where it is; 0: the CPU. */
    readonly device: number,
  ) {
    this.handle = handle;
  }

  retain(): this {
    this.holders++;
    return this;
  }

  /** Held by one tensor alone. */
  get exclusive(): boolean {
    return this.holders === 1;
  }

  release(): void {
    if (--this.holders > 0 || this.handle === null) return;
    giveSpare(this.handle, this.bytes);
    this.handle = null;
    this.derived?.dispose();
    this.derived = null;
  }
}
