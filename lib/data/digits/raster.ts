import type { Sfc32 } from '../../sfc32.js';
import type { Polyline } from './strokes.js';

/** Side of a picture in pixels, as in MNIST. */
export const SIDE = 28;
/** Side of the box that a digit is fitted into, as in MNIST. */
const BOX = 20;
const PIXELS = SIDE * SIDE;

const coverage = new Float64Array(PIXELS);
const blurred = new Float64Array(PIXELS);

/** How one picture's pen and paper look. */
export interface Ink {
  /** Half the width of the line, in pixels. */
  readonly radius: number;
  /** How much the half-width swells and shrinks along the line, as a fraction. */
  readonly pressure: number;
  /** Width of the soft edge of the line, in pixels. */
  readonly edge: number;
  /** Brightness of full ink; above 1 saturates, as scanned MNIST digits do. */
  readonly gain: number;
  /** Weight of each neighbour in the three-tap blur. */
  readonly blur: number;
  /** Deviation of the ink's brightness from pixel to pixel, as a fraction. */
  readonly grain: number;
  /** Probability that a pen stroke skips at a piece of the line. */
  readonly skip: number;
  /** Size of the digit relative to the 20-pixel box. */
  readonly size: number;
  /** Offset of the centre of mass from the picture's centre, in pixels. */
  readonly shift: readonly [x: number, y: number];
}

/**
 * Scales and moves a drawing to pixels the way MNIST was made: the longer side fills a 20x20 box, line width included, and
 * the centre of mass lies in the middle of the 28x28 picture (LeCun, Bottou, Bengio and Haffner 1998, section III).
 */
export function fitToBox(line: Polyline, ink: Ink): void {
  const { points, ends } = line;
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  let [mass, massX, massY] = [0, 0, 0];
  let from = 0;
  for (const end of ends) {
    for (let i = from; i < end; i++) {
      const x = points[2 * i];
      const y = points[2 * i + 1];
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
      if (i === from) continue;
      const dx = x - points[2 * i - 2];
      const dy = y - points[2 * i - 1];
      const length = Math.sqrt(dx * dx + dy * dy);
      mass += length;
      massX += length * (x - dx / 2);
      massY += length * (y - dy / 2);
    }
    from = end;
  }
  const longer = Math.max(right - left, bottom - top);
  const scale = (BOX * ink.size - 2 * ink.radius) / longer;
  // The offset keeps the whole digit inside the picture, whatever its centre of mass is.
  const inside = (centre: number, low: number, high: number) => {
    const margin = ink.radius * (1 + 3 * ink.pressure) + ink.edge / 2 + 1;
    return Math.min(Math.max(centre, margin - low * scale), SIDE - margin - high * scale);
  };
  const moveX = inside(SIDE / 2 + ink.shift[0] - (massX / mass) * scale, left, right);
  const moveY = inside(SIDE / 2 + ink.shift[1] - (massY / mass) * scale, top, bottom);
  for (let i = 0; i < line.count; i++) {
    points[2 * i] = points[2 * i] * scale + moveX;
    points[2 * i + 1] = points[2 * i + 1] * scale + moveY;
  }
}

/** Lays one piece of the line onto `coverage`: a capsule of half-width r, its edge softened over `edge` pixels. */
function capsule(x0: number, y0: number, x1: number, y1: number, r: number, edge: number): void {
  const reach = r + edge / 2;
  const fromColumn = Math.max(0, Math.floor(Math.min(x0, x1) - reach));
  const toColumn = Math.min(SIDE - 1, Math.floor(Math.max(x0, x1) + reach));
  const fromRow = Math.max(0, Math.floor(Math.min(y0, y1) - reach));
  const toRow = Math.min(SIDE - 1, Math.floor(Math.max(y0, y1) + reach));
  const dx = x1 - x0;
  const dy = y1 - y0;
  const squared = dx * dx + dy * dy;
  const perLength = squared > 0 ? 1 / squared : 0;
  for (let row = fromRow; row <= toRow; row++) {
    const py = row + 0.5 - y0;
    for (let column = fromColumn; column <= toColumn; column++) {
      const px = column + 0.5 - x0;
      const t = Math.min(Math.max((px * dx + py * dy) * perLength, 0), 1);
      const ex = px - t * dx;
      const ey = py - t * dy;
      const covered = 0.5 + (r - Math.sqrt(ex * ex + ey * ey)) / edge;
      const pixel = row * SIDE + column;
      // Pieces of one line overlap at their joints, so they join by maximum; adding would leave beads.
      if (covered > coverage[pixel]) coverage[pixel] = covered;
    }
  }
}

/** One pass of the three-tap blur (b, 1 - 2b, b) along rows (step 1) or columns (step SIDE). */
function blur(from: Float64Array, to: Float64Array, b: number, step: number): void {
  const along = (pixel: number) => (step === 1 ? pixel % SIDE : Math.floor(pixel / SIDE));
  for (let pixel = 0; pixel < PIXELS; pixel++) {
    const at = along(pixel);
    const before = at > 0 ? from[pixel - step] : 0;
    const after = at < SIDE - 1 ? from[pixel + step] : 0;
    to[pixel] = (1 - 2 * b) * from[pixel] + b * (before + after);
  }
}

/** Inks a fitted drawing into `out` at `offset`: 784 bytes, rows from the top, 0 is paper and 255 full ink. */
export function paint(line: Polyline, ink: Ink, random: Sfc32, out: Uint8Array, offset: number): void {
  const { points, ends } = line;
  coverage.fill(0);
  let from = 0;
  // The pressure drifts slowly along the line: a random walk that is pulled back to 1.
  let swell = random.normal(ink.pressure);
  for (const end of ends) {
    for (let i = from + 1; i < end; i++) {
      swell = 0.8 * swell + 0.6 * random.normal(ink.pressure);
      if (random.chance(ink.skip)) continue;
      const at = 2 * i;
      const r = Math.max(ink.radius * (1 + swell), 0.35);
      capsule(points[at - 2], points[at - 1], points[at], points[at + 1], r, ink.edge);
    }
    from = end;
  }
  for (let pixel = 0; pixel < PIXELS; pixel++) coverage[pixel] = Math.min(coverage[pixel], 1);
  blur(coverage, blurred, ink.blur, 1);
  blur(blurred, coverage, ink.blur, SIDE);
  for (let pixel = 0; pixel < PIXELS; pixel++) {
    const covered = coverage[pixel];
    if (covered === 0) {
      out[offset + pixel] = 0;
      continue;
    }
    const value = covered * ink.gain * (1 + random.normal(ink.grain));
    out[offset + pixel] = Math.round(255 * Math.min(Math.max(value, 0), 1));
  }
}
