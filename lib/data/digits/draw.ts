import { Sfc32 } from '../../sfc32.js';
import { digitStyles } from './outlines.js';
import { fitToBox, type Ink, paint, SIDE } from './raster.js';
import { outlinePoints, type Polyline, parseOutline, trace } from './strokes.js';
import { bend, skew, type WarpSizes } from './warp.js';

/** Bytes of one picture. */
export const PICTURE = SIDE * SIDE;

/** Random streams of one seed that must not meet: pictures and labels of either split. */
export const splits = { train: 0, test: 1 } as const;
export type Split = keyof typeof splits;
const LABEL_STREAM = 2;

const sizes: WarpSizes = { rotation: 0.16, slant: [0.14, 0.26], width: [-0.12, 0.26], elastic: 0.11 };
/** Deviation of each control point of an outline, in digit heights. */
const SHAKE = 0.038;

const outlines = digitStyles.map((styles) =>
  styles.map(({ weight, path }) => ({ weight, segments: parseOutline(path) })),
);
const mostPoints = Math.max(...outlines.flat().map(({ segments }) => outlinePoints(segments)));
const line: Polyline = { points: new Float64Array(2 * mostPoints), count: 0, ends: [] };
const deck = new Uint8Array(10);

/**
 * The label of picture `index`: every block of ten pictures holds each digit once, in a random order, so any prefix is
 * balanced and a label needs no other label.
 */
export function digitLabel(seed: number, split: Split, index: number): number {
  const random = new Sfc32(seed, LABEL_STREAM + splits[split], Math.floor(index / 10));
  for (let i = 0; i < 10; i++) deck[i] = i;
  for (let i = 9; i > 0; i--) {
    const j = random.below(i + 1);
    const held = deck[i];
    deck[i] = deck[j];
    deck[j] = held;
  }
  return deck[index % 10];
}

function pickOutline(digit: number, random: Sfc32) {
  const styles = outlines[digit];
  let ticket = random.uniform() * styles.reduce((sum, { weight }) => sum + weight, 0);
  for (const style of styles) {
    ticket -= style.weight;
    if (ticket < 0) return style.segments;
  }
  return styles[0].segments;
}

function pickInk(random: Sfc32): Ink {
  return {
    radius: 1.25 * Math.exp(random.normal(0.26)),
    pressure: random.between(0.04, 0.16),
    edge: random.between(0.9, 1.5),
    gain: random.between(0.9, 1.4),
    blur: random.between(0.02, 0.14),
    grain: random.between(0, 0.16),
    skip: random.chance(0.06) ? 0.08 : 0,
    size: random.between(0.93, 1.03),
    shift: [random.normal(0.5), random.normal(0.5)],
  };
}

/** Draws picture `index` of a split into `out` at `offset` (784 bytes) and returns its label. */
export function drawDigit(seed: number, split: Split, index: number, out: Uint8Array, offset: number): number {
  const label = digitLabel(seed, split, index);
  const random = new Sfc32(seed, splits[split], index);
  trace(pickOutline(label, random), SHAKE, random, line);
  bend(line, sizes.elastic, random);
  skew(line, sizes, random);
  const ink = pickInk(random);
  fitToBox(line, ink);
  paint(line, ink, random, out, offset);
  return label;
}
