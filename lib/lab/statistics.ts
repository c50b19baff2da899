/** What is known of a figure after several measurements. */
export interface Spread {
  readonly median: number;
  /** The quarter and three-quarter marks. */
  readonly low: number;
  readonly high: number;
}

/** What is known of a rate that nothing but chance can lower: its best is what the machine can do. */
export interface Peak extends Spread {
  readonly best: number;
}

/** The value below which a part `q` of a sorted list lies, interpolated between neighbours. */
export function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const next = sorted[Math.min(below + 1, sorted.length - 1)];
  return sorted[below] + (at - below) * (next - sorted[below]);
}

/** Median and quartiles of at least one value. */
export function spreadOf(values: Iterable<number>): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: quantile(sorted, 0.5), low: quantile(sorted, 0.25), high: quantile(sorted, 0.75) };
}

/** Median, quartiles and the best of at least one rate. */
export function peakOf(rates: Iterable<number>): Peak {
  const list = [...rates];
  return { ...spreadOf(list), best: Math.max(...list) };
}
