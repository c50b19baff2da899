// Single layers and losses against PyTorch: output, every gradient, and buffers afterwards. Golden values are float64.
import { nn, type Tensor, tensor } from '../../lib/index.js';
import { errorOf, expectAll, type GoldenArray, type GoldenArrays, golden, tensorOf } from './files.js';

interface Case {
  readonly layer: string;
  readonly args: unknown[];
  readonly options: Record<string, unknown>;
  readonly mode: 'train' | 'eval';
  readonly state: GoldenArrays;
  readonly inputs: GoldenArray[];
  readonly output: GoldenArray;
  readonly cotangent: GoldenArray;
  readonly gradients: GoldenArrays;
  readonly after: GoldenArrays;
}

type AnyLayer = new (...args: unknown[]) => nn.Module<Tensor[]>;

const isTensorOption = (key: string) => key === 'weight' || key === 'posWeight';

const { cases } = golden<{ cases: Case[] }>('layers');
const rows = cases.map((c, i): [string, Case] => {
  const args = [...c.args.map((a) => JSON.stringify(a)), JSON.stringify(c.options)];
  return [`${i} ${c.layer}(${args.join(', ')}) ${c.mode} ${JSON.stringify(c.inputs[0].shape)}`, c];
});

// One layer of small sums: float64 to its last digits, float32 to some of its roundings of 6e-8.
describe.each([
  ['float64', 1e-13],
  ['float32', 2e-6],
] as const)('%s', (dtype, tolerance) => {
  const allowed = { worst: tolerance, rms: tolerance };
  test.each(rows)('%s', (_name, c) => {
    const options = Object.entries(c.options).map(([key, value]) => [
      key,
      isTensorOption(key) ? tensor(value as number[], { dtype }) : value,
    ]);
    const Layer = (nn as unknown as Record<string, AnyLayer>)[c.layer];
    const given = options.length > 0 ? [Object.fromEntries(options)] : [];
    const layer = new Layer(...c.args, ...given).to(dtype).train(c.mode === 'train');
    layer.loadStateDict(Object.fromEntries(Object.entries(c.state).map(([k, v]) => [k, tensorOf(v, dtype)])));
    const inputs = c.inputs.map((input) => tensorOf(input, dtype));
    if ('input0' in c.gradients) inputs[0].requiresGrad = true;
    const out = layer.forward(...inputs);
    expect(out.dtype).toBe(dtype);
    expect(errorOf(out, c.output)).toBeLessThanOrEqual(tolerance);
    out.backward(tensorOf(c.cotangent, dtype));
    const gradients = layer.namedParameters().map(([name, p]): [string, Tensor | null] => [name, p.grad]);
    if ('input0' in c.gradients) gradients.push(['input0', inputs[0].grad]);
    expectAll(Object.fromEntries(gradients), c.gradients, allowed);
    expectAll(Object.fromEntries(layer.namedBuffers()), c.after, allowed);
  });
});
