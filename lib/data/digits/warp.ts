import type { Sfc32 } from '../../sfc32.js';
import type { Polyline } from './strokes.js';

/** Random sizes of the distortions, in units of the digit's height (angles in radians). */
export interface WarpSizes {
  /** Deviation of the rotation. */
  readonly rotation: number;
  /** Mean and deviation of the slant, the x shift from the bottom to the top. */
  readonly slant: readonly [mean: number, deviation: number];
  /** Mean and deviation of the logarithm of width over height. */
  readonly width: readonly [mean: number, deviation: number];
  /** Deviation of the elastic displacement at the lattice nodes. */
  readonly elastic: number;
}

/** Lattice nodes along one side; the cubic B-spline needs one node beyond the unit box on each side. */
const NODES = 6;
const lattice = new Float64Array(2 * NODES * NODES);
const weightsX = new Float64Array(4);
const weightsY = new Float64Array(4);

/** Weights of the four uniform cubic B-spline nodes around a point at fraction `t` of its cell. */
function splineWeights(t: number, out: Float64Array): void {
  const s = 1 - t;
  out[0] = (s * s * s) / 6;
  out[1] = (3 * t * t * t - 6 * t * t + 4) / 6;
  out[2] = (3 * s * s * s - 6 * s * s + 4) / 6;
  out[3] = (t * t * t) / 6;
}

/**
 * Bends a drawing like a sheet of rubber: each point moves by a smooth random field, a cubic B-spline over a coarse
 * lattice of independent normal vectors. It is the smoothed random field of Simard, Steinkraus and Platt, "Best practices
 * for convolutional neural networks applied to visual document analysis" (ICDAR 2003), applied to the pen's path rather
 * than to pixels, which keeps edges sharp.
 */
export function bend(line: Polyline, elastic: number, random: Sfc32): void {
  for (let i = 0; i < lattice.length; i++) lattice[i] = random.normal(elastic);
  const { points } = line;
  const cells = NODES - 3;
  for (let i = 0; i < line.count; i++) {
    const u = Math.min(Math.max(points[2 * i] * cells, 0), cells - 1e-9);
    const v = Math.min(Math.max(points[2 * i + 1] * cells, 0), cells - 1e-9);
    const column = Math.floor(u);
    const row = Math.floor(v);
    splineWeights(u - column, weightsX);
    splineWeights(v - row, weightsY);
    let dx = 0;
    let dy = 0;
    for (let r = 0; r < 4; r++) {
      for (let c = 0; c < 4; c++) {
        const weight = weightsY[r] * weightsX[c];
        const node = 2 * ((row + r) * NODES + column + c);
        dx += weight * lattice[node];
        dy += weight * lattice[node + 1];
      }
    }
    points[2 * i] = points[2 * i] + dx;
    points[2 * i + 1] = points[2 * i + 1] + dy;
  }
}

/** Widens, slants and turns a drawing about the middle of the unit box by random amounts. */
export function skew(line: Polyline, sizes: WarpSizes, random: Sfc32): void {
  const angle = random.normal(sizes.rotation);
  const slant = sizes.slant[0] + random.normal(sizes.slant[1]);
  const width = Math.exp(sizes.width[0] + random.normal(sizes.width[1]));
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const { points } = line;
  for (let i = 0; i < line.count; i++) {
    const y = points[2 * i + 1] - 0.5;
    // y points down, so a slant to the right is a shift against y.
    const x = (points[2 * i] - 0.5) * width - slant * y;
    points[2 * i] = x * cos - y * sin;
    points[2 * i + 1] = x * sin + y * cos;
  }
}
