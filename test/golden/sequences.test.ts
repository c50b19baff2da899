// Layers of several inputs and outputs against PyTorch: every output and every gradient. Golden values are float64.
import { nn, type Tensor, tensor } from '../../lib/index.js';
import { errorOf, expectAll, type GoldenArray, type GoldenArrays, golden, tensorOf } from './files.js';

/** An input's name, or several in a list. */
type Place = string | Place[];

interface Case {
  readonly layer: string;
  readonly args: unknown[];
  readonly options: Record<string, unknown>;
  readonly state: GoldenArrays;
  readonly inputs: GoldenArrays;
  readonly call: Place[];
  /** Options of the call; a list is a bool mask. */
  readonly how: Record<string, unknown>;
  readonly outputs: GoldenArray[];
  readonly cotangents: GoldenArray[];
  readonly gradients: GoldenArrays;
}

type AnyLayer = new (...args: unknown[]) => nn.Module<unknown[], unknown>;

const { cases } = golden<{ cases: Case[] }>('sequences');
const rows = cases.map((c, i): [string, Case] => [
  `${i} ${c.layer}(${[...c.args, JSON.stringify(c.options)].join(', ')}) of ${Object.keys(c.inputs).join(', ')}, ${JSON.stringify(c.how)}`,
  c,
]);

const passed = (place: Place, inputs: Record<string, Tensor>): unknown =>
  Array.isArray(place) ? place.map((p) => passed(p, inputs)) : inputs[place];

// Sums of a few dozen terms through a few steps: float64 to its last digits, float32 to some of its roundings of 6e-8.
describe.each([
  ['float64', 1e-13],
  ['float32', 5e-6],
] as const)('%s', (dtype, tolerance) => {
  const allowed = { worst: tolerance, rms: tolerance };
  test.each(rows)('%s', (_name, c) => {
    const Layer = (nn as unknown as Record<string, AnyLayer>)[c.layer];
    const layer = new Layer(...c.args, { ...c.options, dtype });
    const tensors = (arrays: GoldenArrays) =>
      Object.fromEntries(Object.entries(arrays).map(([k, v]) => [k, tensorOf(v, dtype)]));
    layer.loadStateDict(tensors(c.state));
    const inputs = tensors(c.inputs);
    for (const t of Object.values(inputs)) t.requiresGrad = true;
    const how = Object.entries(c.how).map(([k, v]) => [k, Array.isArray(v) ? tensor(v, { dtype: 'bool' }) : v]);
    const options = how.length === 0 ? [] : [Object.fromEntries(how)];
    const results = [layer.forward(...c.call.map((place) => passed(place, inputs)), ...options)].flat(2);
    const outputs = results.filter((out): out is Tensor => out !== null);
    expect(outputs).toHaveLength(c.outputs.length);
    outputs.forEach((out, i) => {
      expect(out.dtype).toBe(dtype);
      expect(errorOf(out, c.outputs[i])).toBeLessThanOrEqual(tolerance);
    });
    outputs
      .map((out, i) => out.mul(tensorOf(c.cotangents[i], dtype)).sum())
      .reduce((a, b) => a.add(b))
      .backward();
    const gradients = [...layer.namedParameters(), ...Object.entries(inputs)].map(([name, t]) => [name, t.grad]);
    expectAll(Object.fromEntries(gradients), c.gradients, allowed);
  });
});
