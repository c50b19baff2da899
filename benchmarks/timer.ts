// Timing several ways to do the same work against each other.

/** What is known of a time after several samples, in seconds of one call. */
export interface Timing {
  readonly median: number;
  /** The quarter and three-quarter marks. */
  readonly low: number;
  readonly high: number;
  readonly best: number;
  readonly samples: number;
  /** Calls in each sample. */
  readonly calls: number;
}

/** Something that can be timed: runs its work `calls` times and says how many seconds that took. */
export interface Runner {
  readonly name: string;
  run(calls: number): Promise<number> | number;
  /** Ends when nothing of it runs any more. */
  rest?(): Promise<void>;
}

/** How long and how often to measure. */
export interface Effort {
  /** Seconds of one sample, at least: long against the clock's and the scheduler's grain. */
  readonly sampleSeconds: number;
  readonly samples: number;
  /** Seconds after which a runner gets no more samples than three. */
  readonly patience: number;
  /** Seconds of warm-up for short calls: what runs in JavaScript is compiled after thousands of calls only. */
  readonly warmSeconds: number;
  /** The same for jobs, whose steps take long but are made of hundreds of short calls. */
  readonly jobWarmSeconds: number;
}

export const thorough: Effort = { sampleSeconds: 0.02, samples: 7, patience: 1.5, warmSeconds: 0.3, jobWarmSeconds: 3 };
export const quick: Effort = { sampleSeconds: 0.01, samples: 5, patience: 0.5, warmSeconds: 0.3, jobWarmSeconds: 1 };

const shortCall = 300e-6;

/** A runner whose call takes longer than `patience` gets one sample, the others at least three. */
const fewestSamples = 3;

/** Times `patience` after which a first call is all the warm-up there is. */
const hopeless = 4;

const mostCalls = 1_000_000;

/** How many calls make a sample long enough, and how many samples to take at least; finding out is also the warm-up. */
async function planFor(runner: Runner, effort: Effort, job: boolean): Promise<{ calls: number; fewest: number }> {
  const seconds = effort.sampleSeconds;
  let calls = 1;
  const first = await runner.run(1); // compiles, allocates and faults
  if (first > hopeless * effort.patience) return { calls, fewest: 1 };
  let taken = await runner.run(1);
  const fewest = taken > effort.patience ? 1 : fewestSamples;
  while (taken < seconds && calls < mostCalls) {
    const factor = Math.min(10, Math.max(2, Math.ceil(seconds / Math.max(taken, 1e-9))));
    calls = Math.min(mostCalls, calls * factor);
    taken = await runner.run(calls);
  }
  const enough = () => (job ? effort.jobWarmSeconds : taken / calls < shortCall ? effort.warmSeconds : 0);
  for (let warm = taken; warm < enough(); warm += taken) {
    taken = await runner.run(calls);
    if (taken < seconds) calls = Math.min(mostCalls, Math.ceil((calls * seconds) / taken));
  }
  await runner.rest?.();
  return { calls, fewest };
}

/** The value below which a part `q` of a sorted list lies, interpolated between neighbours. */
export function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const next = sorted[Math.min(below + 1, sorted.length - 1)];
  return sorted[below] + (at - below) * (next - sorted[below]);
}

/** What a list of times of one call says. */
export function timingOf(times: readonly number[], calls: number): Timing {
  const sorted = [...times].sort((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    low: quantile(sorted, 0.25),
    high: quantile(sorted, 0.75),
    best: sorted[0],
    samples: sorted.length,
    calls,
  };
}

/**
 * Times runners against each other: samples are taken in turn, so that what else the machine does falls on all of them.
 * Every other round goes backwards, so that nobody always follows the same neighbour.
 */
export async function interleave(runners: readonly Runner[], effort: Effort, job = false): Promise<Timing[]> {
  const plans: Awaited<ReturnType<typeof planFor>>[] = [];
  for (const runner of runners) plans.push(await planFor(runner, effort, job));
  const times: number[][] = runners.map(() => []);
  const spent = runners.map(() => 0);
  for (let s = 0; s < effort.samples; s++) {
    const order = runners.map((_, i) => (s % 2 === 0 ? i : runners.length - 1 - i));
    for (const i of order) {
      const { calls, fewest } = plans[i];
      if (s >= fewest && spent[i] > effort.patience) continue;
      if (runners.length > 1) {
        await runners[i].run(calls > 1 ? 2 : 0); // wakes its threads and its caches up again
      }
      const seconds = await runners[i].run(calls);
      spent[i] += seconds;
      times[i].push(seconds / calls);
      await runners[i].rest?.();
    }
  }
  return times.map((list, i) => timingOf(list, plans[i].calls));
}
