/** What is known of a time after several samples, in seconds per call. */
export interface Timing {
  readonly median: number;
  /** The quarter and three-quarter marks. */
  readonly low: number;
  readonly high: number;
  readonly samples: number;
}

/** Something that can be timed: runs its work `calls` times and says how many seconds that took. */
export interface Runner {
  readonly name: string;
  run(calls: number): Promise<number> | number;
}

const sampleSeconds = 0.05; // long against the clock's and the scheduler's grain
const maxCalls = 1_000_000;

/** Doubles the calls until a sample is long enough; this is also the warm-up. */
async function callsFor(runner: Runner): Promise<number> {
  let calls = 1;
  let seconds = await runner.run(calls);
  while (seconds < sampleSeconds && calls < maxCalls) {
    calls *= Math.min(10, Math.max(2, Math.ceil(sampleSeconds / Math.max(seconds, 1e-9))));
    seconds = await runner.run(Math.min(calls, maxCalls));
  }
  return Math.min(calls, maxCalls);
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

/**
 * Times runners against each other: samples are taken in turn, so that what else the machine does falls on all of them.
 */
export async function interleave(runners: readonly Runner[], samples: number): Promise<Timing[]> {
  const calls: number[] = [];
  for (const runner of runners) calls.push(await callsFor(runner));
  const times: number[][] = runners.map(() => []);
  for (let s = 0; s < samples; s++) {
    for (const [i, runner] of runners.entries()) times[i].push((await runner.run(calls[i])) / calls[i]);
  }
  return times.map((list) => {
    const sorted = [...list].sort((a, b) => a - b);
    return { median: quantile(sorted, 0.5), low: quantile(sorted, 0.25), high: quantile(sorted, 0.75), samples };
  });
}
