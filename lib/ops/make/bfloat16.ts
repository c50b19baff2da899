// bfloat16 in float64, for references.

// Named here since test runners put a slow door before globals, and this runs for every element.
const { abs, floor, log2, max, sign } = Math;

/** The nearest number of 8 bits in float32's range, of two the even one. */
export function roundedToBfloat16(value: number): number {
  const size = abs(value);
  if (value === 0 || !(size < 1 / 0)) return value;
  let exponent = floor(log2(size));
  if (2 ** exponent > size) exponent--; // log2 rounds up just below a power of two
  const unit = 2 ** max(exponent - 7, -133); // 2^-133 is the smallest there is
  const steps = size / unit; // exact: a power of two
  const below = floor(steps);
  const up = steps - below === 0.5 ? below % 2 === 1 : steps - below > 0.5;
  const rounded = (below + (up ? 1 : 0)) * unit;
  return sign(value) * (rounded >= 2 ** 128 ? 1 / 0 : rounded);
}
