import { drawDigit, PICTURE, type Split } from './draw.js';

/** A run of consecutive pictures, which one thread draws at a time. */
export interface Job {
  readonly split: Split;
  readonly from: number;
  readonly count: number;
}

/** A finished run. */
export interface JobResult {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

/** Draws the pictures of one job. */
export function runJob(seed: number, { split, from, count }: Job): JobResult {
  const images = new Uint8Array(count * PICTURE);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) labels[i] = drawDigit(seed, split, from + i, images, i * PICTURE);
  return { images, labels };
}
