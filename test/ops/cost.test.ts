// Every row says what a call computes and moves; roofs and profiles are read from it.
import type { Meta } from '../../lib/define.js';
import { dtypes } from '../../lib/dtype.js';
import type { Case } from './case.js';
import { defaultSeed } from './checks/check.js';
import { inferred, metasOf } from './reference.js';
import { type Subject, subjects } from './subjects.js';
import { drawCase } from './values.js';

const elements = ({ shape }: Meta) => shape.reduce((n, size) => n * size, 1);
const bytesOf = (metas: readonly Meta[]) => metas.reduce((n, m) => n + elements(m) * dtypes[m.dtype].itemSize, 0);

/** What a row costs in a case, and the tensors of the call. */
function costOf({ op }: Subject, c: Case) {
  const drawn = drawCase(c, 'float32', defaultSeed);
  const inputs = metasOf(drawn);
  const outputs = inferred(op, drawn, c.attrs);
  return { inputs, outputs, ...op.cost(inputs, outputs, c.attrs as never) };
}

const run = (name: string) => {
  const subject = subjects().get(name) as Subject;
  return subject.cases.flatMap((c) => {
    try {
      return [costOf(subject, c)];
    } catch {
      return []; // a case for another dtype
    }
  });
};

/** Rows that touch a part of an input only, or something more than once: bytes by their own rule. */
const partial: Readonly<Record<string, (inputs: readonly Meta[], outputs: readonly Meta[]) => number>> = {
  nllLoss: ([x, labels, weight], outputs) =>
    elements(labels) * dtypes[x.dtype].itemSize + bytesOf([labels, weight, ...outputs]),
  // Of a weight and its packed form, which the cases give 21 numbers, one is read.
  conv2dFused: (inputs, outputs) => bytesOf([...inputs.filter(({ shape }) => `${shape}` !== '21'), ...outputs]),
  linearPacked: ([x, weight, , ...bias], outputs) => bytesOf([x, weight, ...bias, ...outputs]),
  gather: ([, index], outputs) => bytesOf([index, ...outputs, ...outputs]),
  indexSelect: ([, index], outputs) => bytesOf([index, ...outputs, ...outputs]),
  // x is copied; what is added to is read and written again.
  scatterAdd: ([x, index, src]) => bytesOf([x, x, index, src, src, src]),
  indexAdd: ([x, index, src]) => bytesOf([x, x, index, src, src, src]),
};

test.each([...subjects().keys()])('%s', (name) => {
  const { op } = subjects().get(name) as Subject;
  const costs = run(name);
  expect(costs.length).toBeGreaterThan(0);
  for (const { inputs, outputs, flops, bytes } of costs) {
    expect(Number.isInteger(flops) && flops >= 0).toBe(true);
    expect(Number.isInteger(bytes) && bytes >= 0).toBe(true);
    const expected = op.view ? 0 : (partial[name]?.(inputs, outputs) ?? bytesOf([...inputs, ...outputs]));
    expect(bytes).toBe(expected);
  }
});

test('products count two FLOPs a multiply-add', () => {
  for (const { inputs, outputs, flops } of run('matmul')) {
    const depth = inputs[0].shape[inputs[0].shape.length - 1];
    expect(flops).toBe(2 * elements(outputs[0]) * depth);
  }
  for (const { inputs, outputs, flops } of run('conv2d')) {
    const [, perGroup, height, width] = inputs[1].shape;
    const products = 2 * elements(outputs[0]) * perGroup * height * width;
    expect(flops === products || flops === products + elements(outputs[0])).toBe(true);
  }
});

test.each(['mseLossGrad', 'l1LossGrad', 'bceLossGrad'])(
  '%s computes something for each element, not for its scalar',
  (name) => {
    const costs = run(name);
    expect(costs.length).toBeGreaterThan(0);
    for (const { inputs, flops } of costs) expect(flops).toBeGreaterThanOrEqual(Math.max(...inputs.map(elements)));
  },
);
