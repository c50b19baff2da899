import type { Sfc32 } from '../../sfc32.js';

/** A drawing as the pen made it: `points` holds x, y in turn; a stroke ends before each index in `ends`. */
export interface Polyline {
  /** x and y of every point, in turn. */
  readonly points: Float64Array;
  /** How many points are in use. */
  count: number;
  /** For each stroke, the index just after its last point. */
  readonly ends: number[];
}

/** One piece of an outline: the command letter and its coordinates (M and L 2, Q 4, C 6 numbers). */
interface Segment {
  readonly command: string;
  readonly numbers: readonly number[];
}

/** Steps that one curve is cut into; 9 keeps a chord under two pixels of a 20-pixel digit, with no visible corners. */
const CURVE_STEPS = 9;
/** Straight lines are cut as well, since the elastic distortion bends them. */
const LINE_STEPS = 5;

const NUMBERS = new Map([
  ['M', 2],
  ['L', 2],
  ['Q', 4],
  ['C', 6],
]);

/** Reads an outline in SVG path syntax (absolute M, L, Q, C). Throws where it is none. */
export function parseOutline(path: string): Segment[] {
  const segments = [...path.matchAll(/([A-Za-z])([^A-Za-z]*)/g)].map(([, command = '', rest = '']) => ({
    command,
    numbers: rest
      .trim()
      .split(/[\s,]+/)
      .map(Number),
  }));
  for (const { command, numbers } of segments) {
    if (numbers.length !== NUMBERS.get(command) || !numbers.every(Number.isFinite)) {
      throw new Error(
        `parseOutline: not an M, L, Q or C with its numbers: ${command}${numbers.join(' ')} in "${path}"`,
      );
    }
  }
  if (segments[0]?.command !== 'M') throw new Error(`parseOutline: an outline starts with M: "${path}"`);
  return segments;
}

/** The most points that `trace` makes of an outline. */
export function outlinePoints(segments: readonly Segment[]): number {
  const steps = (command: string) => (command === 'M' ? 1 : command === 'L' ? LINE_STEPS : CURVE_STEPS);
  return segments.reduce((sum, { command }) => sum + steps(command), 0);
}

/**
 * Cuts an outline into short straight pieces, moving each control point by a normal draw of deviation `shake` first (an
 * unsteady hand). A start point that is shared by two strokes is shaken for each.
 */
export function trace(segments: readonly Segment[], shake: number, random: Sfc32, into: Polyline): void {
  const { points, ends } = into;
  let n = 0;
  ends.length = 0;
  let x = 0;
  let y = 0;
  const shaken = (value: number) => value + random.normal(shake);
  for (const { command, numbers } of segments) {
    if (command === 'M') {
      if (n > 0) ends.push(n);
      x = shaken(numbers[0]);
      y = shaken(numbers[1]);
      points[2 * n] = x;
      points[2 * n++ + 1] = y;
      continue;
    }
    const last = numbers.length;
    const endX = shaken(numbers[last - 2]);
    const endY = shaken(numbers[last - 1]);
    // Lines and quadratic curves are cubic ones with the controls placed on the line or at two thirds (degree elevation).
    let [c1x, c1y, c2x, c2y] = [
      x + (endX - x) / 3,
      y + (endY - y) / 3,
      x + ((endX - x) * 2) / 3,
      y + ((endY - y) * 2) / 3,
    ];
    if (command === 'Q') {
      const qx = shaken(numbers[0]);
      const qy = shaken(numbers[1]);
      [c1x, c1y, c2x, c2y] = [(x + 2 * qx) / 3, (y + 2 * qy) / 3, (endX + 2 * qx) / 3, (endY + 2 * qy) / 3];
    } else if (command === 'C') {
      [c1x, c1y, c2x, c2y] = [shaken(numbers[0]), shaken(numbers[1]), shaken(numbers[2]), shaken(numbers[3])];
    }
    const steps = command === 'L' ? LINE_STEPS : CURVE_STEPS;
    for (let step = 1; step <= steps; step++) {
      const t = step / steps;
      const s = 1 - t;
      const [b0, b1, b2, b3] = [s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t];
      points[2 * n] = b0 * x + b1 * c1x + b2 * c2x + b3 * endX;
      points[2 * n++ + 1] = b0 * y + b1 * c1y + b2 * c2y + b3 * endY;
    }
    x = endX;
    y = endY;
  }
  ends.push(n);
  into.count = n;
}
