// bfloat16 in float64, for references.

/** The nearest number of 8 bits in float32's range, of two the even one. */
export function roundedToBfloat16(value: number): number {
  if (!Number.isFinite(value) || value === 0) return value;
  const size = Math.abs(value);
  let exponent = Math.floor(Math.log2(size));
  if (2 ** exponent > size) exponent--; // log2 rounds up just below a power of two
  const unit = 2 ** Math.max(exponent - 7, -133); // 2^-133 is the smallest there is
  const steps = size / unit; // exact: a power of two
  const below = Math.floor(steps);
  const up = steps - below === 0.5 ? below % 2 === 1 : steps - below > 0.5;
  const rounded = (below + Number(up)) * unit;
  return Math.sign(value) * (rounded >= 2 ** 128 ? Infinity : rounded);
}
