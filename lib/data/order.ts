import { Sfc32 } from '../sfc32.js';

/** Separates the shuffling from other uses of a seed. */
const STREAM = 16;

/**
 * The numbers 0 to count - 1 in the random order of one epoch: Fisher and Yates's shuffle (Durstenfeld 1964). Every
 * (seed, epoch) has its own order, which needs no other epoch's.
 */
export function shuffledOrder(count: number, seed: number, epoch: number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  const random = new Sfc32(seed, STREAM, epoch);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const held = order[i];
    order[i] = order[j];
    order[j] = held;
  }
  return order;
}
