import { crossEntropy, Generator, memory, nn, optim, randn, tensor, tidy } from '../../lib/index.js';

/** Points of three classes, each around a corner of its own. */
function points(generator: Generator) {
  const labels = Int32Array.from({ length: 60 }, (_, i) => i % 3);
  const corners = tensor([2, 0, 0, 2, -2, -2], { shape: [3, 2] });
  const x = corners.indexSelect(0, tensor(labels)).add(randn([60, 2], { generator }).mul(0.5));
  return { x, labels: tensor(labels) };
}

test('a model learns, and its steps leave nothing behind', () => {
  const generator = new Generator(1);
  const { x, labels } = points(generator);
  const model = new nn.Sequential(
    new nn.Linear(2, 16, { generator }),
    new nn.BatchNorm1d(16),
    new nn.ReLU(),
    new nn.Dropout(0.1, { generator }),
    new nn.Linear(16, 3, { generator }),
  );
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.05 });
  const step = () =>
    tidy(() => {
      optimizer.zeroGrad();
      const loss = crossEntropy(model.forward(x), labels);
      loss.backward();
      optimizer.step();
      return loss.itemSync();
    });
  const first = step();
  const { buffers } = memory();
  let last = 0;
  for (let i = 0; i < 60; i++) last = step();
  expect(memory().buffers).toBeLessThanOrEqual(buffers);
  expect(last).toBeLessThan(first / 4);
  const right = model.eval().forward(x).argmax(1).eq(labels).sum().itemSync();
  expect(right).toBeGreaterThanOrEqual(58);
});
