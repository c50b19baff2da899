import {
  batchSweep,
  crossEntropy,
  type Machine,
  measureMachine,
  nn,
  optim,
  profile,
  randint,
  randn,
  type Tensor,
} from '../../lib/index.js';

class Block extends nn.Module {
  conv = new nn.Conv2d(2, 4, 3, { padding: 1 });
  forward(x: Tensor): Tensor {
    return this.conv.forward(x).relu();
  }
}

class Net extends nn.Module {
  block = new Block();
  out = new nn.Linear(4 * 8 * 8, 10);
  forward(x: Tensor): Tensor {
    return this.out.forward(this.block.forward(x).flatten(1));
  }
}

let machine: Machine;
beforeAll(async () => {
  machine = await measureMachine({ quick: true, threads: [1] });
});

const batch = 16;
const data = () => ({ x: randn([batch, 2, 8, 8]), labels: randint(0, 10, [batch]) });

test('each op is told by module, with its FLOPs and bytes', async () => {
  const net = new Net();
  const { x } = data();
  const report = await profile(() => net.forward(x), { machine });
  const found = report.layers.map(({ module, type, op, phase, calls }) => [module, type, op, phase, calls]);
  expect(found).toEqual([
    ['block.conv', 'Conv2d', 'conv2d', 'forward', 1],
    ['block', 'Block', 'relu', 'forward', 1],
    ['out', 'Linear', 'linear', 'forward', 1],
  ]);
  const [conv, relu] = report.layers;
  expect(conv.flops).toBeGreaterThanOrEqual(2 * batch * 4 * 8 * 8 * 2 * 9);
  expect(conv.bytes).toBe(4 * (x.size + 4 * 2 * 9 + 4 + batch * 4 * 8 * 8));
  expect(relu.bytes).toBe(2 * 4 * batch * 4 * 8 * 8);
  for (const layer of report.layers) {
    expect(layer.seconds).toBeGreaterThan(0);
    expect(layer.flopRate).toBeCloseTo(layer.flops / layer.seconds, 3);
    expect(layer.intensity).toBeCloseTo(layer.flops / layer.bytes, 6);
    expect(layer.ofRoof).toBeGreaterThan(0);
  }
  expect(report.busy).toBeLessThanOrEqual(report.seconds);
  expect(report.flops).toBe(report.layers.reduce((sum, l) => sum + l.flops, 0));
});

test('a module that has a hook is heard of once, as any', async () => {
  const net = new Net();
  const { x } = data();
  let calls = 0;
  net.block.registerForwardHook(() => void calls++);
  const report = await profile(() => net.forward(x), { machine });
  expect(report.layers.map(({ module, calls }) => [module, calls])).toEqual([
    ['block.conv', 1],
    ['block', 1],
    ['out', 1],
  ]);
  expect(calls).toBe(1);
});

test('gradients belong to the module whose forward was recorded, the step to none', async () => {
  const net = new Net();
  const optimizer = new optim.SGD(net.parameters(), { lr: 0.1 });
  const { x, labels } = data();
  const step = () => {
    optimizer.zeroGrad();
    crossEntropy(net.forward(x), labels).backward();
    optimizer.step();
  };
  const { layers } = await profile(step, { machine, warmup: 1 });
  const modules = (phase: string) => new Set(layers.filter((l) => l.phase === phase).map((l) => l.module));
  expect(modules('forward')).toEqual(new Set(['block.conv', 'block', 'out']));
  expect(modules('backward')).toEqual(new Set(['', 'out', 'block', 'block.conv']));
  expect(layers.filter((l) => l.phase === 'other').map((l) => l.op)).toEqual(
    expect.arrayContaining(['crossEntropy', 'sgdStep']),
  );
});

test('the table has a line for each layer, and sorts by time', async () => {
  const net = new Net();
  const { x } = data();
  const report = await profile(() => net.forward(x), { machine });
  const lines = report.table().split('\n');
  expect(lines).toHaveLength(report.layers.length + 2);
  expect(lines[0]).toMatch(/^module +op +pass +calls +FLOPs +bytes +FLOP\/B +time +GFLOP\/s +GB\/s +% of roof +bound$/);
  expect(lines[1]).toMatch(/^block\.conv +conv2d +forward +1 /);
  expect(lines[lines.length - 1]).toMatch(/ in all, .* of it in kernels: /);
  const slowest = [...report.layers].sort((a, b) => b.seconds - a.seconds)[0];
  expect(report.table({ sort: 'time' }).split('\n')[1].split(/ +/)[0]).toBe(slowest.module);
  expect(() => report.table({ sort: 'size' as never })).toThrow(/^table: sort must be/);
});

test('the Chrome trace nests ops in modules, and survives JSON', async () => {
  const net = new Net();
  const { x, labels } = data();
  const report = await profile(() => crossEntropy(net.forward(x), labels).backward(), { machine });
  const trace = JSON.parse(JSON.stringify(report.chromeTrace()));
  const events = trace.traceEvents as { name: string; ph: string; tid: number; cat: string; ts: number; dur: number }[];
  expect(events.filter((e) => e.ph === 'M').map((e) => e.name)).toContain('thread_name');
  const spans = events.filter((e) => e.ph === 'X');
  expect(spans.every((e) => e.ts >= 0 && e.dur >= 0)).toBe(true);
  const one = (name: string, tid: number, cat: string) =>
    spans.find((e) => e.name === name && e.tid === tid && e.cat === cat) as (typeof spans)[number];
  const within = (inner: (typeof spans)[number], outer: (typeof spans)[number]) =>
    inner.ts >= outer.ts && inner.ts + inner.dur <= outer.ts + outer.dur + 1e-3;
  const path = ['Net', 'block', 'conv', 'conv2d'].map((name) => one(name, 1, 'forward'));
  for (let i = 1; i < path.length; i++) expect(within(path[i], path[i - 1])).toBe(true);
  expect(within(one('block', 0, 'forward'), one('Net', 0, 'forward'))).toBe(true);
  expect(one('Net', 1, 'backward').ts).toBeGreaterThanOrEqual(path[3].ts + path[3].dur);
});

test('asynchronous functions are followed; code beside them is not', async () => {
  const { x } = data();
  const running = profile(
    async () => {
      const y = x.exp();
      await y.data();
      return y.log();
    },
    { machine },
  );
  x.sqrt();
  const { layers } = await running;
  expect(layers.map((l) => l.op)).toEqual(['exp', 'log']);
});

test('forward is the class’s own again afterwards, also when the function throws', async () => {
  const before = Net.prototype.forward;
  const net = new Net();
  const failing = profile(
    () => {
      expect(Net.prototype.forward).not.toBe(before);
      net.forward(randn([1, 2, 8, 8]));
      throw new Error('no more');
    },
    { machine },
  );
  await expect(failing).rejects.toThrow('no more');
  expect(Net.prototype.forward).toBe(before);
});

test('two roots are told apart by their classes', async () => {
  const [a, b] = [new Net(), new Block()];
  const { x } = data();
  const { layers } = await profile(() => [a.forward(x), b.forward(x)], { machine });
  const convolutions = layers.filter((l) => l.op === 'conv2d').map((l) => l.module);
  expect(convolutions).toEqual(['Net.block.conv', 'Block.conv']);
});

test('mistakes are told', async () => {
  await expect(profile('x' as never)).rejects.toThrow(/^profile: a function was expected: "x"$/);
  await expect(profile(() => 0, { warmup: -1 })).rejects.toThrow(/^profile: warmup must be a whole number/);
  await expect(batchSweep({} as never, () => randn([1]))).rejects.toThrow(/^batchSweep: a module was expected/);
  await expect(batchSweep(new Net(), () => randn([1]), { batches: [4, 2] })).rejects.toThrow(
    /^batchSweep: batches must be/,
  );
});

test('a batch sweep finds where a layer crosses the ridge', async () => {
  // A machine of round numbers: ridge at 8 FLOPs a byte wherever the data lies.
  const peak = (best: number) => ({ median: best, low: best, high: best, best });
  const round: Machine = {
    ...machine,
    threads: 1,
    compute: [{ isa: machine.isa, kind: 'f32', threads: 1, ...peak(8e9) }],
    memory: (['L1', 'L2', 'L3', 'DRAM'] as const).flatMap((level) =>
      (['read', 'write', 'copy', 'triad'] as const).map((kind) => ({
        level,
        kind,
        threads: 1,
        workingSet: 1,
        ...peak(1e9),
      })),
    ),
  };
  const model = new nn.Sequential(new nn.Linear(256, 256), new nn.ReLU());
  const { layers, table } = await batchSweep(model, (n) => randn([n, 256]), { batches: [1, 8, 64], machine: round });
  expect(layers.map(({ module, op, ridgeBatch }) => [module, op, ridgeBatch])).toEqual([
    ['0', 'linear', 64], // 0.5 FLOPs a byte at batch 1, 3.8 at 8, 21 at 64
    ['1', 'relu', null],
  ]);
  const [linear] = layers;
  expect(linear.points.map((p) => p.batch)).toEqual([1, 8, 64]);
  expect(linear.points[2].intensity).toBeGreaterThan(20);
  expect(table()).toMatch(
    /^module +op +batch 1 +batch 8 +batch 64 +compute-bound from\n0 +linear .* 64\n1 +relu .* never$/,
  );
});

test('a batch sweep leaves the tensors of its caller alone', async () => {
  const model = new nn.Sequential(new nn.Linear(4, 2));
  const all = randn([8, 4]);
  const made = new Map([1, 8].map((n) => [n, all.narrow(0, 0, n)]));
  const options = { batches: [1, 8], machine };
  await batchSweep(model, (n) => made.get(n) as Tensor, options);
  const { layers } = await batchSweep(model, (n) => [made.get(n) as Tensor], options);
  expect(layers[0].points).toHaveLength(2);
  for (const t of made.values()) expect(t.disposed).toBe(false);
});

test.each([
  [3, '3'],
  [[randn([1]), null], '[Tensor, null]'],
  [Promise.resolve(randn([1])), 'Promise'],
  [undefined, 'undefined'],
])('a batch sweep refuses an input that is no tensor', async (given, shown) => {
  const sweep = batchSweep(new Net(), () => given as never, { machine });
  await expect(sweep).rejects.toThrow(`batchSweep: inputOf must return a tensor or a list of tensors: ${shown}`);
});

test('a profile inside another, or beside it, is refused, and the next one works', async () => {
  const message = 'profile: another profile is being taken; wait for it';
  const one = () => profile(() => randn([4]).exp(), { machine });
  await expect(profile(one, { machine })).rejects.toThrow(message);
  await expect(profile(one, { machine, warmup: 1 })).rejects.toThrow(message);
  const [first, second] = await Promise.allSettled([one(), one()]);
  expect([first.status, second.status]).toEqual(['fulfilled', 'rejected']);
  expect((await one()).layers.map((l) => l.op)).toEqual(['normal', 'exp']);
});

test('amounts stand apart from their units', async () => {
  const report = await profile(() => randn([31]).relu(), { machine });
  expect(report.table()).toMatch(/in kernels: \d+(\.\d+)? k?FLOP, \d+(\.\d+)? k?B, [\d.]+ GFLOP\/s$/);
});
