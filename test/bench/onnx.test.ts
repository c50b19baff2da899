import { cases } from '../../benchmarks/cases/index.js';
import { onnxModel } from '../../benchmarks/peers/onnx.js';
import { caseGraph, hasGraph } from '../../benchmarks/peers/onnx-cases.js';

type Field = { readonly number: number; readonly value: number | Uint8Array };

/** The fields of a protobuf message, read by the rules of the format alone. */
function fields(bytes: Uint8Array): Field[] {
  const out: Field[] = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, value));
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const wire = key & 7;
    if (wire === 0) out.push({ number: key >> 3, value: varint() });
    else if (wire === 5) {
      out.push({ number: key >> 3, value: new DataView(bytes.buffer, bytes.byteOffset + at, 4).getFloat32(0, true) });
      at += 4;
    } else {
      const length = varint();
      out.push({ number: key >> 3, value: bytes.subarray(at, at + length) });
      at += length;
    }
  }
  return out;
}

const all = (list: readonly Field[], number: number) => list.filter((f) => f.number === number).map((f) => f.value);
const messages = (list: readonly Field[], number: number) => all(list, number).map((v) => fields(v as Uint8Array));
const text = (value: unknown) => new TextDecoder().decode(value as Uint8Array);

test('a model holds its nodes, attributes, constants and values', () => {
  const weights = new Float32Array([1, -2, 3.5]);
  const model = fields(
    onnxModel({
      nodes: [
        {
          op: 'Conv',
          inputs: ['x', 'w'],
          outputs: ['y'],
          ints: { axis: -1, pads: [1, 300] },
          floats: { epsilon: 0.5 },
          strings: { mode: 'tanh' },
        },
      ],
      inputs: [{ name: 'x', shape: [2, 1000] }],
      outputs: [{ name: 'y' }],
      constants: [{ name: 'w', shape: [3], data: weights }],
    }),
  );
  expect(all(model, 1)).toEqual([9]); // IR version
  expect(messages(model, 8).map((opset) => all(opset, 2))).toEqual([[20]]);
  const [graph] = messages(model, 7);
  const [node] = messages(graph, 1);
  expect([all(node, 1).map(text), all(node, 2).map(text), all(node, 4).map(text)]).toEqual([
    ['x', 'w'],
    ['y'],
    ['Conv'],
  ]);
  const attributes = messages(node, 5).map((a) => [
    text(all(a, 1)[0]),
    all(a, 20)[0],
    a.filter((f) => f.number > 1 && f.number < 20),
  ]);
  expect(attributes[0]).toEqual(['axis', 2, [{ number: 3, value: -1 }]]);
  expect(attributes[1]).toEqual([
    'pads',
    7,
    [
      { number: 8, value: 1 },
      { number: 8, value: 300 },
    ],
  ]);
  expect(attributes[2]).toEqual(['epsilon', 1, [{ number: 2, value: 0.5 }]]);
  expect(attributes[3].slice(0, 2)).toEqual(['mode', 3]);
  const [constant] = messages(graph, 5);
  expect([all(constant, 1), all(constant, 2), text(all(constant, 8)[0])]).toEqual([[3], [1], 'w']);
  expect(all(constant, 9)[0]).toEqual(new Uint8Array(weights.buffer));
  const [input] = messages(graph, 11);
  const [tensor] = messages(messages(input, 2)[0], 1);
  expect(messages(messages(tensor, 2)[0], 1).map((dim) => all(dim, 1)[0])).toEqual([2, 1000]);
});

test('every case that has a graph makes a model with one node', () => {
  const small = cases.filter((c) => hasGraph(c) && c.inputs.every((i) => i.shape.reduce((n, s) => n * s, 1) < 1e5));
  expect(small.length).toBeGreaterThan(20);
  for (const c of small) {
    const [graph] = messages(fields(onnxModel(caseGraph(c))), 7);
    expect(messages(graph, 1)).toHaveLength(1);
    expect(messages(graph, 11).length + messages(graph, 5).length).toBe(c.inputs.length);
  }
});
