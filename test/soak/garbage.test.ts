import { runProgram } from '../support/program.js';
import type { GarbageReport } from './programs/garbage.js';

const limit = 200e6;

// 5 GB pass through; V8 by itself would let a gigabyte of them gather before it collects.
test.each(['plain', 'await'])(
  'garbage alone never reaches the memory limit: %s',
  async (mode) => {
    const { total, peakBytes } = await runProgram<GarbageReport>('soak/programs/garbage.ts', [mode], {
      ATHANOR_MEMORY_LIMIT: String(limit),
    });
    expect(total / 200e6).toBeCloseTo(1, 5);
    expect(peakBytes).toBeLessThanOrEqual(limit);
  },
  120_000,
);
