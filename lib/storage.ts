import { type Handle, native } from './native.js';

/** Memory shared by a tensor and its views. Counts who holds it, so that the last dispose() frees it at once; what is never
 *  disposed of is freed by the garbage collector together with the handle. */
export class Storage {
  /** Null once freed. */
  handle: Handle | null;
  /** Rises with every change in place; autograd compares it. */
  version = 0;
  private holders = 1;

  constructor(handle: Handle) {
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
    native.release(this.handle);
    this.handle = null;
  }
}
