import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { full, loadSafetensors, nn, ones, saveSafetensors, type Tensor, tensor, zeros } from '../../lib/index.js';

/** State of several shapes and dtypes. */
class Layer extends nn.Module {
  weight: nn.Parameter;
  calls = nn.buffer(zeros([], { dtype: 'int32' }));
  scratch = nn.buffer(zeros([1]), { persistent: false });

  constructor(size: number, value: number) {
    super();
    this.weight = nn.parameter(full([size], value));
  }

  forward(x: Tensor): Tensor {
    return x.mul(this.weight);
  }
}

const model = (value: number) => new nn.Sequential(new Layer(2, value), new Layer(3, value));
const values = (m: nn.Module) => Object.values(m.stateDict()).map((t) => t.toArraySync());

test('the state has parameters and persistent buffers, and shares their memory', () => {
  const m = model(1);
  const state = m.stateDict();
  expect(Object.keys(state)).toEqual(['0.weight', '0.calls', '1.weight', '1.calls']);
  expect(Object.values(state).some((t) => t.requiresGrad)).toBe(false);
  state['0.weight'].fill_(7);
  expect((m[0] as Layer).weight.toArraySync()).toEqual([7, 7]);
});

test('loading copies in place, and converts dtypes', () => {
  const target = model(0);
  const own = target.parameters();
  const source = model(4);
  (source[1] as Layer).calls.fill_(9);
  source.to('float64');
  expect(target.loadStateDict(source.stateDict())).toEqual({ missing: [], unexpected: [] });
  expect(values(target)).toEqual([[4, 4], 0, [4, 4, 4], 9]);
  expect(target.parameters()).toEqual(own);
  expect(own[0].dtype).toBe('float32');
  expect(own[0].requiresGrad).toBe(true);
  source.parameters()[0].detach().fill_(5);
  expect(values(target)[0]).toEqual([4, 4]);
});

test('a Map, and the module’s own state, load as well', () => {
  const m = model(3);
  expect(m.loadStateDict(new Map(Object.entries(model(2).stateDict()))).missing).toEqual([]);
  m.loadStateDict(m.stateDict());
  expect(values(m)).toEqual([[2, 2], 0, [2, 2, 2], 0]);
});

test('a state goes through a file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'athanor-'));
  try {
    await saveSafetensors(join(folder, 'm.safetensors'), model(6).stateDict());
    const m = model(0);
    m.loadStateDict(await loadSafetensors(join(folder, 'm.safetensors')));
    expect(values(m)).toEqual([[6, 6], 0, [6, 6, 6], 0]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('what does not fit is listed, and nothing is loaded', () => {
  const m = model(1);
  const state = { ...model(2).stateDict(), '1.weight': ones([4]), extra: ones([2, 5]), '1.calls': tensor(0.5) };
  delete (state as Record<string, Tensor>)['0.calls'];
  expect(() => m.loadStateDict(state)).toThrow(
    [
      'loadStateDict: the state does not fit Sequential, nothing was loaded: ',
      '  missing: 0.calls []',
      '  unexpected: extra [2, 5]',
      "  different: 1.weight is [4], the module's is [3]; 1.calls is float32, the module's is int32",
    ].join('\n'),
  );
  expect(values(m)).toEqual([[1, 1], 0, [1, 1, 1], 0]);
});

test('strict: false takes what is there, but no other shapes', () => {
  const m = model(1);
  const report = m.loadStateDict({ '0.weight': tensor([8, 9]), other: ones([1]) }, { strict: false });
  expect(report).toEqual({ missing: ['0.calls', '1.weight', '1.calls'], unexpected: ['other'] });
  expect(values(m)).toEqual([[8, 9], 0, [1, 1, 1], 0]);
  expect(() => m.loadStateDict({ '0.weight': ones([3]) }, { strict: false })).toThrow(
    "loadStateDict: the state does not fit Sequential, nothing was loaded: \n  different: 0.weight is [3], the module's is [2]",
  );
});

test('wrong arguments', () => {
  const m = model(1);
  expect(() => m.loadStateDict(null as never)).toThrow(
    'loadStateDict: an object or a Map of tensors by name was expected: null',
  );
  expect(() => m.loadStateDict(ones([2]) as never)).toThrow('an object or a Map of tensors by name was expected');
  expect(() => m.loadStateDict({ '0.weight': [1, 2] as never })).toThrow(
    'loadStateDict: 0.weight must be a tensor: [1, 2]',
  );
  const gone = ones([2]);
  gone.dispose();
  expect(() => m.loadStateDict({ '0.weight': gone }, { strict: false })).toThrow(
    'loadStateDict: the tensor was disposed of: 0.weight [2] float32',
  );
});

describe('containers', () => {
  test('entries by index, from the end, by iteration', () => {
    const seq = model(1);
    expect(seq).toHaveLength(2);
    expect(seq.at(-1)).toBe(seq[1]);
    expect([...seq]).toEqual([seq[0], seq[1]]);
    expect(seq[2]).toBeUndefined();
    expect(() => seq.at(2)).toThrow('Sequential.at: there are 2 entries: 2');
    expect(() => seq.at(0.5)).toThrow('Sequential.at: there are 2 entries: 0.5');
    const more = new nn.Identity();
    expect(seq.append(more).at(2)).toBe(more);
  });

  test('a sequence chains, an empty one is the identity', () => {
    const x = tensor([1, 2]);
    expect(new nn.Sequential().forward(x)).toBe(x);
    expect(new nn.Sequential(new Layer(2, 3), new Layer(2, 5)).forward(x).toArraySync()).toEqual([15, 30]);
  });

  test('a list holds modules and has no forward', () => {
    const list = new nn.ModuleList([new Layer(1, 1), new Layer(2, 1)]);
    expect(list.namedParameters().map(([name]) => name)).toEqual(['0.weight', '1.weight']);
    expect(list[1].weight.shape).toEqual([2]);
    expect([...list].map((m) => m.weight.size)).toEqual([1, 2]);
    expect(() => list.forward()).toThrow('ModuleList.forward: a list has no forward');
    expect(() => new nn.ModuleList(5 as never)).toThrow('ModuleList: an array of modules was expected: 5');
  });

  test('only modules are taken', () => {
    expect(() => new nn.Sequential(new nn.Identity(), ((x: Tensor) => x) as never)).toThrow(
      'Sequential: entry 1 must be a module: function (anonymous)',
    );
  });

  test('Flatten keeps the batch axis unless told otherwise', () => {
    const x = zeros([2, 3, 4]);
    expect(new nn.Flatten().forward(x).shape).toEqual([2, 12]);
    expect(new nn.Flatten(0, 1).forward(x).shape).toEqual([6, 4]);
    expect(() => new nn.Flatten(1.5)).toThrow('Flatten: startAxis must be a whole number: 1.5');
    expect(() => new nn.Flatten().forward(zeros([3]))).toThrow('flatten: axis must be a whole number from -1 to 0: 1');
  });
});
