import { computeKind, type Machine, measureMachine, roofline } from '../../lib/index.js';

const simple = { flops: 6e12, bandwidth: 300e9 };

test('the worked example: y = A x of 1024 x 512 takes 7 microseconds, bound by memory', () => {
  const [M, N] = [1024, 512];
  const flops = 2 * M * N;
  const bytes = 4 * (M * N + M + N);
  expect(flops / 1e6).toBeCloseTo(1.05, 2);
  expect(bytes / 1e6).toBeCloseTo(2.1, 2);
  const found = roofline({ flops, bytes, machine: simple });
  expect(found.intensity).toBeCloseTo(0.5, 2);
  expect(found.time * 1e6).toBeCloseTo(7, 1);
  expect(found.computeTime * 1e6).toBeCloseTo(0.17, 2);
  expect(found.memoryTime).toBe(found.time);
  expect(found.bound).toBe('memory');
  expect(found.ridge).toBe(20);
  expect(found.attainable / 1e9).toBeCloseTo(149.6, 1);
  // A processor twice as fast would not help; memory twice as fast would.
  expect(roofline({ flops, bytes, machine: { ...simple, flops: 12e12 } }).time).toBe(found.time);
  expect(roofline({ flops, bytes, machine: { ...simple, bandwidth: 600e9 } }).time).toBe(found.time / 2);
});

test('above the ridge arithmetic is the bound', () => {
  const n = 1024;
  const found = roofline({ flops: 2 * n ** 3, bytes: 12 * n ** 2, machine: simple });
  expect(found.bound).toBe('compute');
  expect(found.time).toBe((2 * n ** 3) / 6e12);
  expect(found.attainable).toBe(6e12);
});

test('work without bytes or without arithmetic has limits too', () => {
  expect(roofline({ flops: 1, bytes: 0, machine: simple })).toMatchObject({ intensity: Infinity, bound: 'compute' });
  expect(roofline({ flops: 0, bytes: 300, machine: simple })).toMatchObject({
    intensity: 0,
    bound: 'memory',
    time: 1e-9,
  });
  expect(roofline({ flops: 0, bytes: 0, machine: simple }).time).toBe(0);
});

const peak = (best: number) => ({ median: best / 2, low: best / 2, high: best / 2, best });

/** One thread: 32 KiB of L1 at 1000 GB/s, then DRAM at 100 reading, 50 writing, 90 copying past the caches. */
const machine: Machine = {
  cpu: 'made up',
  isa: 'avx2',
  threads: 1,
  caches: [{ level: 1, bytes: 32768, sharedBy: 1 }],
  compute: [
    { isa: 'avx2', kind: 'f32', threads: 1, ...peak(1e11) },
    { isa: 'avx2', kind: 'f64', threads: 1, ...peak(5e10) },
    { isa: 'baseline', kind: 'f32', threads: 1, ...peak(1e10) },
  ],
  memory: [
    ...(['read', 'write', 'copy', 'triad'] as const).map((kind) => ({
      level: 'L1' as const,
      kind,
      threads: 1,
      workingSet: 16384,
      ...peak(1e12),
    })),
    ...Object.entries({ read: 1e11, write: 5e10, copy: 8e10, copyStreaming: 9e10, triad: 8e10 }).map(
      ([kind, best]) => ({
        level: 'DRAM' as const,
        kind: kind as 'read',
        threads: 1,
        workingSet: 1e9,
        ...peak(best),
      }),
    ),
  ],
  overhead: { call: { median: 1, low: 1, high: 1 }, add16: { median: 1, low: 1, high: 1 } },
  jitter: 0,
  load: 0,
};

test('of a measured machine the roofs are chosen by dtype, by where the data lies, and by what is written', () => {
  const roofs = (options: object) => roofline({ flops: 1, bytes: 1e9, machine, ...options }).roofs;
  expect(roofs({}).flops).toBe(1e11);
  expect(roofs({ kind: 'f64' }).flops).toBe(5e10);
  expect(roofs({ written: 0 }).bandwidth).toBeCloseTo(1e11, -3);
  expect(roofs({ written: 0.5 }).bandwidth).toBeCloseTo(9e10, -3);
  expect(roofs({ written: 1 }).bandwidth).toBeCloseTo(5e10, -3);
  expect(roofs({ written: 0.75 }).bandwidth).toBeCloseTo(2 / (1 / 9e10 + 1 / 5e10), -3);
  expect(roofs({ workingSet: 32768 }).bandwidth).toBeCloseTo(1e12, -3);
  // Half as much again as the cache holds: half of it is found there.
  expect(roofs({ workingSet: 49152, written: 0 }).bandwidth).toBeCloseTo(2 / (1 / 1e12 + 1 / 1e11), -3);
});

test.each([
  [{ flops: -1, bytes: 1, machine: simple }, /^roofline: flops must be a number, 0 or more: -1$/],
  [{ flops: 1, bytes: Number.NaN, machine: simple }, /^roofline: bytes must be/],
  [{ flops: 1, bytes: 1 }, /^roofline: machine must be what measureMachine\(\) gave/],
  [
    { flops: 1, bytes: 1, machine: { flops: 0, bandwidth: 1 } },
    /^roofline: machine\.flops must be a positive number: 0$/,
  ],
  [{ flops: 1, bytes: 1, machine, written: 2 }, /^roofline: written must lie between 0 and 1: 2$/],
  [{ flops: 1, bytes: 1, machine, kind: 'i8' }, /^roofline: kind must be/],
  [{ flops: 1, bytes: 1, machine: { ...machine, compute: [] } }, /^roofline: the machine has no measured peak of f32/],
])('bad options are told: %#', (options, message) => {
  expect(() => roofline(options as never)).toThrow(message);
});

test('this machine has roofs at every level, survives JSON, and does not stop the event loop', async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 2);
  const found = await measureMachine({ quick: true, threads: [1] });
  clearInterval(timer);
  expect(turns).toBeGreaterThan(10);
  expect(found.compute.map((c) => c.kind)).toEqual(expect.arrayContaining(['f32', 'f64']));
  for (const level of ['L1', 'L2', 'DRAM']) {
    const kinds = found.memory.filter((m) => m.level === level).map((m) => m.kind);
    expect(kinds).toEqual(expect.arrayContaining(['read', 'write', 'copy', 'triad']));
  }
  for (const roof of [...found.compute, ...found.memory]) {
    expect(roof.low).toBeGreaterThan(0);
    expect(roof.best).toBeGreaterThanOrEqual(roof.high);
  }
  expect(found.overhead.call.median).toBeGreaterThan(0);
  expect(JSON.parse(JSON.stringify(found))).toEqual(found);
  expect(roofline({ flops: 1e6, bytes: 1e6, machine: found }).time).toBeGreaterThan(0);
});

test('thread counts are checked', async () => {
  await expect(measureMachine({ threads: [] })).rejects.toThrow(/^measureMachine: threads must list counts: \[\]$/);
  await expect(measureMachine({ threads: [0] })).rejects.toThrow(
    /^measureMachine: a thread count must be a whole number/,
  );
});

test("bfloat16 has a roof of its own where the machine multiplies it, and float32's elsewhere", () => {
  const work = { flops: 1e12, bytes: 1, kind: computeKind('bfloat16') };
  expect(roofline({ ...work, machine }).computeTime).toBeCloseTo(10, 6);
  const compute = [...machine.compute, { isa: 'avx2', kind: 'bf16' as const, threads: 1, ...peak(2e11) }];
  expect(roofline({ ...work, machine: { ...machine, compute } }).computeTime).toBeCloseTo(5, 6);
});
