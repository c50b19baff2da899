import { optim, tensor } from '../../lib/index.js';

const make = (lr = 0.5) => new optim.SGD([tensor([0], { requiresGrad: true })], { lr, momentum: 0.9 });

/** The rate of each of `count` steps. */
function rates(count: number, schedule: (o: optim.SGD) => { step(): void }, optimizer = make()): number[] {
  const s = schedule(optimizer);
  return Array.from({ length: count }, (_, i) => {
    if (i > 0) s.step();
    return optimizer.lr;
  });
}

const close = (values: number[]) => values.map((v) => expect.closeTo(v, 12));
const steps = (count: number) => Array.from({ length: count }, (_, t) => t);

test('StepLR, MultiStepLR, ExponentialLR', () => {
  expect(rates(5, (o) => new optim.StepLR(o, { stepSize: 2 }))).toEqual(close([0.5, 0.5, 0.05, 0.05, 0.005]));
  expect(rates(5, (o) => new optim.MultiStepLR(o, { milestones: [1, 3], gamma: 0.5 }))).toEqual(
    close([0.5, 0.25, 0.25, 0.125, 0.125]),
  );
  expect(rates(4, (o) => new optim.ExponentialLR(o, { gamma: 0.5 }))).toEqual(close([0.5, 0.25, 0.125, 0.0625]));
});

test('CosineAnnealingLR ends at etaMin', () => {
  const expected = steps(9).map((t) => 0.1 + 0.2 * (1 + Math.cos((Math.PI * t) / 8)));
  expect(rates(9, (o) => new optim.CosineAnnealingLR(o, { tMax: 8, etaMin: 0.1 }))).toEqual(close(expected));
});

test('LinearLR warms up and stays', () => {
  expect(rates(6, (o) => new optim.LinearLR(o, { startFactor: 0.2, totalIters: 4 }))).toEqual(
    close([0.1, 0.2, 0.3, 0.4, 0.5, 0.5]),
  );
});

test('LambdaLR, one function a group', () => {
  const params = [tensor([0], { requiresGrad: true }), tensor([0], { requiresGrad: true })];
  const optimizer = new optim.SGD([
    { params: [params[0]], lr: 1 },
    { params: [params[1]], lr: 2 },
  ]);
  const schedule = new optim.LambdaLR(optimizer, { lrLambda: [(t) => 1 / (t + 1), () => 0.5] });
  schedule.step();
  expect(schedule.getLastLr()).toEqual([0.5, 1]);
});

test('SequentialLR counts from each milestone, and starts where the optimizer did', () => {
  const expected = [0.25, 0.375, ...steps(4).map((t) => 0.25 * (1 + Math.cos((Math.PI * t) / 4)))];
  const warmup = (o: optim.SGD) => [
    new optim.LinearLR(o, { startFactor: 0.5, totalIters: 2 }),
    new optim.CosineAnnealingLR(o, { tMax: 4 }),
  ];
  expect(rates(6, (o) => new optim.SequentialLR(o, { schedulers: warmup(o), milestones: [2] }))).toEqual(
    close(expected),
  );
});

test('OneCycleLR rises, falls, and moves momentum the other way', () => {
  const optimizer = make();
  const schedule = new optim.OneCycleLR(optimizer, {
    maxLr: 1,
    totalSteps: 12,
    pctStart: 0.5,
    annealStrategy: 'linear',
  });
  const seen = steps(12).map((i) => {
    if (i > 0) schedule.step();
    return [optimizer.lr, optimizer.paramGroups[0].momentum];
  });
  expect(seen[0]).toEqual([expect.closeTo(0.04, 12), expect.closeTo(0.95, 12)]);
  const highest = Math.max(...seen.map(([lr]) => lr));
  const top = seen.findIndex(([lr]) => lr === highest);
  expect([top, highest]).toEqual([5, expect.closeTo(1, 12)]);
  expect(Math.min(...seen.map(([, m]) => m))).toBe(seen[top][1]);
  expect(seen[11]).toEqual([expect.closeTo(0.04 / 1e4, 12), expect.closeTo(0.95, 12)]);
});

test('ReduceLROnPlateau waits for its patience, cools down, and stops at minLr', () => {
  const optimizer = make(1);
  const schedule = new optim.ReduceLROnPlateau(optimizer, { factor: 0.5, patience: 1, cooldown: 1, minLr: 0.2 });
  const seen = [5, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4].map((metric) => {
    schedule.step(metric);
    return optimizer.lr;
  });
  expect(seen).toEqual([1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2]);
  expect(() => schedule.step('4' as never)).toThrow('ReduceLROnPlateau.step: the metric must be a number: "4"');
});

test('a schedule goes on where it was saved', () => {
  const [a, b] = [make(), make()];
  const first = new optim.StepLR(a, { stepSize: 2 });
  for (let i = 0; i < 3; i++) first.step();
  const second = new optim.StepLR(b, { stepSize: 2 });
  second.loadStateDict(JSON.parse(JSON.stringify(first.stateDict())));
  first.step();
  second.step();
  expect(b.lr).toBe(a.lr);
  expect(() => second.loadStateDict({ steps: 1, baseLrs: [] })).toThrow('a state with 1 baseLrs was expected: []');
});
