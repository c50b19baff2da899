// Where random numbers come from: a seed and a place in its stream.
import { randomBytes } from 'node:crypto';
import { fail, show } from './errors.js';
import { checkInteger } from './shape.js';

/** What {@link Generator.getState} returns: plain data, fit for JSON. */
export interface GeneratorState {
  readonly seed: number;
  /** Blocks of 128 random bits that were used up. */
  readonly offset: number;
}

/**
 * A stream of random numbers: Philox4x32-10 (Salmon et al., SC 2011) keyed with `seed`, a whole number from 0 to 2^53 - 1.
 * The same seed and the same calls give the same numbers, on any number of threads. Without a seed it takes one from the
 * operating system. Throws when the seed is not such a number.
 */
export class Generator {
  private key = 0;
  private used = 0;

  constructor(seed?: number) {
    this.key = checkInteger('Generator', 'seed', seed ?? randomBytes(6).readUIntBE(0, 6));
  }

  /** The seed in use. */
  get seed(): number {
    return this.key;
  }

  /** Starts the stream of another seed. Throws unless it is a whole number from 0 to 2^53 - 1. */
  manualSeed(seed: number): this {
    this.key = checkInteger('manualSeed', 'seed', seed);
    this.used = 0;
    return this;
  }

  /** Where the stream is now: give it to {@link setState} to draw the same numbers again. */
  getState(): GeneratorState {
    return { seed: this.key, offset: this.used };
  }

  /** Goes on from a state that {@link getState} returned. Throws when it is no such state. */
  setState(state: GeneratorState): this {
    if (typeof state !== 'object' || state === null) fail('setState', 'a state must be an object', show(state));
    const seed = checkInteger('setState', 'seed', state.seed);
    this.used = checkInteger('setState', 'offset', state.offset);
    this.key = seed;
    return this;
  }

  /** @internal Takes as many blocks as `words` 32-bit words need; returns where they start. */
  take(words: number): GeneratorState {
    const state = this.getState();
    this.used += Math.ceil(words / 4);
    return state;
  }
}

/** The generator of calls that name none; each worker thread has its own. */
export const defaultGenerator: Generator = new Generator();

/** Seeds the default generator. Throws unless the seed is a whole number from 0 to 2^53 - 1. Returns the generator. */
export function manualSeed(seed: number): Generator {
  return defaultGenerator.manualSeed(seed);
}

/** @internal Throws unless `generator` is absent or one; returns the one to draw from. */
export function checkGenerator(op: string, generator: unknown): Generator {
  if (generator === undefined) return defaultGenerator;
  return generator instanceof Generator ? generator : fail(op, 'generator must be a Generator', show(generator));
}
