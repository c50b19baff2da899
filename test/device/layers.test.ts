// Whole layers on a device: outputs and gradients as on the CPU.
import './support.js';

import { type DeviceName, memory, nn, randn, type Tensor, tensor } from '../../lib/index.js';

/** A layer of any inputs and outputs, as this file needs one. */
type Layer = nn.AnyModule;

/** The numbers of a layer's output and of all of its gradients, on a device. */
function run(
  layer: Layer,
  inputs: readonly Tensor[],
  device: DeviceName,
  call: (...x: Tensor[]) => Tensor,
): number[][] {
  layer.to(device);
  layer.zeroGrad();
  const given = inputs.map((x) => x.to(device));
  const out = call(...given);
  out.mul(out).sum().backward();
  return [out, ...layer.parameters().map(({ grad }) => grad as Tensor)].map((t) => [...t.dataSync()].map(Number));
}

function same(found: readonly number[][], expected: readonly number[][]): void {
  expect(found.length).toBe(expected.length);
  found.forEach((numbers, k) => {
    const size = Math.max(1, ...expected[k].map(Math.abs));
    expect(numbers.length).toBe(expected[k].length);
    const worst = Math.max(...numbers.map((v, i) => Math.abs(v - expected[k][i])));
    expect(worst).toBeLessThan(1e-5 * size);
  });
}

function checked(layer: Layer, inputs: readonly Tensor[], call: (...x: Tensor[]) => Tensor): void {
  const expected = run(layer, inputs, 'cpu', call);
  same(run(layer, inputs, 'cuda', call), expected);
}

describe('layers compute on a device as on the CPU', () => {
  test('recurrent ones, in both directions', () => {
    const x = randn([5, 3, 4]);
    const lstm = new nn.LSTM(4, 6, { bidirectional: true });
    checked(lstm, [x], (t) => lstm.forward(t)[0]);
    const gru = new nn.GRU(4, 6, { numLayers: 2 });
    checked(gru, [x], (t) => gru.forward(t)[0]);
    const rnn = new nn.RNN(4, 6);
    checked(rnn, [x], (t) => rnn.forward(t)[0]);
  });

  test('embeddings', () => {
    const embedding = new nn.Embedding(7, 5);
    checked(embedding, [tensor(Int32Array.of(1, 6, 1, 0), { shape: [2, 2] })], (t) => embedding.forward(t));
  });

  test('convolutions with norms, while they train and prepared for inference', () => {
    const model = new nn.Sequential(new nn.Conv2d(3, 4, 3, { padding: 1 }), new nn.BatchNorm2d(4), new nn.ReLU());
    const x = randn([2, 3, 6, 5]);
    checked(model, [x], (t) => model.forward(t));
    const expected = [...model.eval().to('cpu').forward(x).dataSync()].map(Number);
    const there = x.to('cuda');
    const before = memory('cuda').bytes;
    const prepared = nn.prepareInference(model.to('cuda'), there);
    expect(memory('cuda').bytes - before).toBeLessThan(4096); // weights are not packed there
    same([[...prepared.forward(there).dataSync()].map(Number)], [expected]);
  });
});
