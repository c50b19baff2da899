// What a call costs before it computes anything.
import { withModes } from '../context.js';
import { native } from '../native.js';
import { add } from '../ops/binary.js';
import { filled } from '../ops/filled.js';
import type { Machine } from './machine.js';
import { type Spread, spreadOf } from './statistics.js';

const callsEach = 10_000; // milliseconds: long against the clock, short against the event loop

/** Seconds of one call, over several runs of many; the first, in which the code is compiled, does not count. */
function secondsOf(runs: number, body: () => void): Spread {
  const times: number[] = [];
  for (let run = -2; run < runs; run++) {
    const start = performance.now();
    for (let i = 0; i < callsEach; i++) body();
    if (run >= 0) times.push((performance.now() - start) / 1e3 / callsEach);
  }
  return spreadOf(times);
}

/** The figures of {@link Machine.overhead}; on a GPU, of handing over the work. */
export function overheads(quick: boolean, device = 0): Machine['overhead'] {
  return withModes({ device, grad: false, scope: null, stream: 0, tracer: null }, () => {
    const a = filled([16], 1, 'float32');
    const b = filled([16], 2, 'float32');
    const runs = quick ? 3 : 9;
    const call = secondsOf(runs, () => native.nothing());
    const add16 = secondsOf(runs, () => add(a, b).dispose());
    a.dispose();
    b.dispose();
    return { call, add16 };
  });
}
