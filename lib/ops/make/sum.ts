// Sums that references are made of.

// Named here since test runners put a slow door before globals, and this runs for every element.
const { abs } = Math;

/** The sum of exact summands: many of both signs would leave a plain sum with errors of its own. */
export function preciseSum(values: readonly number[]): number {
  let sum = 0;
  let lost = 0;
  for (const v of values) {
    const next = sum + v;
    lost += abs(sum) >= abs(v) ? sum - next + v : v - next + sum;
    sum = next;
  }
  return Number.isFinite(sum) ? sum + lost : sum;
}
