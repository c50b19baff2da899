import { inspect } from 'node:util';
import { memory, nn, noGrad, ones, Tensor, tensor, tidy, zeros } from '../../lib/index.js';

/** y = weight x + bias, elementwise; counts its calls in a buffer. */
class Scale extends nn.Module {
  weight: nn.Parameter;
  bias: nn.Parameter | null = null;
  calls: nn.Buffer;
  scratch = nn.buffer(zeros([1]), { persistent: false });

  constructor(readonly features: number) {
    super();
    this.weight = nn.parameter(ones([features]));
    this.bias = nn.parameter(zeros([features]));
    this.calls = nn.buffer(zeros([], { dtype: 'int32' }));
  }

  forward(x: Tensor): Tensor {
    this.calls.add_(1);
    const y = x.mul(this.weight);
    return this.bias === null ? y : y.add(this.bias);
  }

  override extraRepr(): string {
    return String(this.features);
  }
}

class Net extends nn.Module {
  first = new Scale(2);
  blocks = [new Scale(2), new Scale(2)];
  seq = new nn.Sequential(new Scale(2), new nn.Identity());
  gain = nn.parameter(tensor([3]));
  cache: Tensor | null = null;

  forward(x: Tensor): Tensor {
    let y = this.first.forward(x);
    for (const block of this.blocks) y = block.forward(y);
    this.cache = this.seq.forward(y).mul(this.gain);
    return this.cache;
  }
}

/** Two inputs. */
class Pair extends nn.Module<[a: Tensor, b: Tensor]> {
  left = new Scale(2);
  right = this.left;

  forward(a: Tensor, b: Tensor): Tensor {
    return this.left.forward(a).add(this.right.forward(b));
  }
}

const names = (entries: [string, unknown][]) => entries.map(([name]) => name);

describe('names', () => {
  const net = new Net();

  test('parameters are named by the path of fields, a module’s own before those below it', () => {
    expect(names(net.namedParameters())).toEqual([
      'gain',
      'first.weight',
      'first.bias',
      'blocks.0.weight',
      'blocks.0.bias',
      'blocks.1.weight',
      'blocks.1.bias',
      'seq.0.weight',
      'seq.0.bias',
    ]);
    expect(net.parameters()).toEqual(net.namedParameters().map(([, p]) => p));
    expect(net.parameters()[1]).toBe(net.first.weight);
  });

  test('buffers, modules and children', () => {
    expect(names(net.namedBuffers()).slice(0, 3)).toEqual(['first.calls', 'first.scratch', 'blocks.0.calls']);
    expect(names(net.namedModules())).toEqual(['', 'first', 'blocks.0', 'blocks.1', 'seq', 'seq.0', 'seq.1']);
    expect(net.namedModules()[0][1]).toBe(net);
    expect(names(net.namedChildren())).toEqual(['first', 'blocks.0', 'blocks.1', 'seq']);
    expect(net.children()).toEqual([net.first, ...net.blocks, net.seq]);
    expect(net.modules()).toHaveLength(7);
    expect(net.buffers()).toHaveLength(8);
  });

  test('plain objects in fields are looked into, circular ones too; #private fields are not', () => {
    class Heads extends nn.Module {
      heads: Record<string, unknown> = { left: new Scale(1), right: [new Scale(1)] };
      readonly #cache = new Map([['x', new Scale(1)]]);
      cached = () => this.#cache.get('x');
      forward = (x: Tensor) => x;
    }
    const model = new Heads();
    model.heads.self = model.heads;
    expect(names(model.namedParameters())).toEqual([
      'heads.left.weight',
      'heads.left.bias',
      'heads.right.0.weight',
      'heads.right.0.bias',
    ]);
    expect((model.to('float64').heads.left as Scale).weight.dtype).toBe('float64');
  });

  test('a result kept in a field is no part of the state', () => {
    net.forward(ones([2]));
    expect(net.cache?.requiresGrad).toBe(true);
    expect(names(net.namedParameters())).not.toContain('cache');
  });

  test('a module used twice counts once, and has both names in the state', () => {
    const pair = new Pair();
    expect(names(pair.namedParameters())).toEqual(['left.weight', 'left.bias']);
    expect(Object.keys(pair.stateDict())).toEqual([
      'left.weight',
      'left.bias',
      'left.calls',
      'right.weight',
      'right.bias',
      'right.calls',
    ]);
    expect(pair.forward(ones([2]), ones([2])).toArraySync()).toEqual([2, 2]);
    expect(pair.left.calls.itemSync()).toBe(2);
  });

  test('modules that point at each other are walked once', () => {
    const net = new Net() as Net & { self?: nn.Module };
    net.self = net;
    expect(net.parameters()).toHaveLength(9);
    expect(net.modules()).toHaveLength(7);
    expect(String(net)).toContain('self: Net() [circular]');
  });

  test('a tensor that requires grad but is no parameter is an error, not left out', () => {
    class Wrong extends nn.Module {
      w = ones([2], { requiresGrad: true });
      forward = (x: Tensor) => x.mul(this.w);
    }
    expect(() => new Wrong().parameters()).toThrow(
      'Wrong: w requires grad but is no parameter; assign nn.parameter(t), or use a #private field for other tensors: [2] float32',
    );
  });

  test('printing shows the structure', () => {
    expect(String(new Pair())).toBe('Pair() {\n  left: Scale(2)\n  right: Scale(2)\n}');
    expect(inspect(new nn.Sequential(new Scale(4), new nn.Flatten(0, 1)))).toBe(
      'Sequential() {\n  0: Scale(4)\n  1: Flatten(0, 1)\n}',
    );
  });
});

describe('parameters and buffers', () => {
  test('a parameter shares the memory it was made from and is a leaf that requires grad', () => {
    const t = tensor([1, 2]);
    const p = nn.parameter(t);
    expect(p).toBeInstanceOf(Tensor);
    expect([p.requiresGrad, p.isLeaf]).toEqual([true, true]);
    t.fill_(5);
    expect(p.toArraySync()).toEqual([5, 5]);
    p.mul(2).sum().backward();
    expect(p.grad?.toArraySync()).toEqual([2, 2]);
    expect(nn.parameter(t, { requiresGrad: false }).requiresGrad).toBe(false);
  });

  test('what is made from a recorded result is cut off from it, what is made from a view is dense', () => {
    const x = ones([2, 3], { requiresGrad: true });
    const p = nn.parameter(x.mul(2).transpose());
    expect([p.isLeaf, p.isContiguous]).toEqual([true, true]);
    expect(p.shape).toEqual([3, 2]);
  });

  test('both survive tidy, forward results do not', () => {
    const { net, y } = tidy(() => {
      const net = new Net();
      const y = net.forward(ones([2]));
      return { net: { hidden: () => net }, y };
    });
    expect(y.toArraySync()).toEqual([3, 3]);
    expect(net.hidden().first.weight.toArraySync()).toEqual([1, 1]);
    expect(net.hidden().first.calls.itemSync()).toBe(1);
    const before = memory().buffers;
    tidy(() => {
      noGrad(() => net.hidden().forward(ones([2])));
    });
    expect(memory().buffers).toBe(before);
  });

  test('wrong arguments', () => {
    expect(() => nn.parameter([1] as never)).toThrow('parameter: a tensor was expected: [1]');
    expect(() => nn.parameter(tensor([1], { dtype: 'int32' }))).toThrow(
      'parameter: only float tensors can be learnt; use nn.buffer() for others: [1] int32',
    );
    const gone = zeros([3]);
    gone.dispose();
    expect(() => nn.buffer(gone)).toThrow('buffer: the tensor was disposed of: [3] float32');
  });
});

describe('parts of a module in a Map or Set', () => {
  const wrong = 'holds a part of the module where it is not seen; use an array, an object or nn.ModuleList';

  test.each([
    ['Map', () => new Map([['a', new nn.Linear(1, 1)]]), 'Linear in a Map'],
    ['Set', () => new Set([nn.parameter(ones([1]))]), 'Parameter in a Set'],
    ['Map', () => new Map([[1, nn.buffer(ones([1]))]]), 'Buffer in a Map'],
  ])('%s: refused', (_, make, given) => {
    class Hidden extends nn.Module {
      options = { parts: make() };
      forward(x: Tensor) {
        return x;
      }
    }
    expect(() => new Hidden().parameters()).toThrow(`Hidden: options.parts ${wrong}: ${given}`);
    expect(() => new Hidden().stateDict()).toThrow(`Hidden: options.parts ${wrong}: ${given}`);
  });

  test('anything else may be in one', () => {
    class Vocabulary extends nn.Module {
      numbers = new Map([['a', 1]]);
      names = new Set(['a']);
      means = new Map([['a', ones([1])]]);
      layer = new nn.Linear(1, 1);
      forward(x: Tensor) {
        return this.layer.forward(x);
      }
    }
    expect(Object.keys(new Vocabulary().stateDict())).toEqual(['layer.weight', 'layer.bias']);
  });
});

describe('modes', () => {
  test('train and eval reach every module and return the module', () => {
    const net = new Net();
    expect(net.modules().every((m) => m.training)).toBe(true);
    expect(net.eval()).toBe(net);
    expect(net.modules().some((m) => m.training)).toBe(false);
    net.blocks[0].train();
    expect(net.modules().filter((m) => m.training)).toEqual([net.blocks[0]]);
    expect(
      net
        .train()
        .modules()
        .every((m) => m.training),
    ).toBe(true);
    expect(() => net.train('no' as never)).toThrow('train: mode must be true or false: "no"');
  });

  test('freezing keeps parameters in the list and gradients away', () => {
    const net = new Net();
    net.first.requiresGrad_(false);
    expect(net.parameters()).toHaveLength(9);
    net
      .forward(ones([2]))
      .sum()
      .backward();
    expect(net.first.weight.grad).toBeNull();
    expect(net.gain.grad?.toArraySync()).toEqual([2]);
    net.zeroGrad();
    expect(net.parameters().every((p) => p.grad === null)).toBe(true);
  });

  test('apply visits children first', () => {
    const seen: string[] = [];
    const net = new Net();
    expect(net.apply((m) => seen.push(m.constructor.name))).toBe(net);
    expect(seen).toEqual(['Identity', 'Scale', 'Sequential', 'Scale', 'Scale', 'Scale', 'Net']);
    expect(() => net.apply(3 as never)).toThrow('apply: a function was expected: 3');
  });
});

describe('to', () => {
  test('converts float state, keeps ties, frozen flags and integers', () => {
    const pair = new Pair();
    (pair.left.bias as nn.Parameter).requiresGrad = false;
    const old = pair.left.weight;
    pair
      .forward(ones([2]), ones([2]))
      .sum()
      .backward();
    expect(pair.to('float64')).toBe(pair);
    expect(pair.left.weight.dtype).toBe('float64');
    expect(pair.left.weight.grad?.dtype).toBe('float64');
    expect(pair.left.calls.dtype).toBe('int32');
    expect([pair.left.weight.requiresGrad, pair.left.bias?.requiresGrad]).toEqual([true, false]);
    expect(pair.right.weight).toBe(pair.left.weight);
    expect(old.disposed).toBe(true);
    expect(Object.keys(pair.stateDict())).not.toContain('left.scratch');
    expect(pair.to('cpu').left.weight.dtype).toBe('float64');
  });

  test('a parameter under two names stays one', () => {
    class Tied extends nn.Module {
      a = nn.parameter(ones([2]));
      b = [this.a];
      forward = (x: Tensor) => x.mul(this.a);
    }
    const tied = new Tied().to('float64');
    expect(tied.b[0]).toBe(tied.a);
    expect(names(tied.namedParameters())).toEqual(['a']);
  });

  test('refuses what is no device or float dtype', () => {
    const net = new Net();
    expect(() => net.to('gpu' as never)).toThrow(
      'to: a module moves to a device or a float dtype: one of cpu, cuda, cuda:N, float32, float64: "gpu"',
    );
    expect(() => net.to('int32' as never)).toThrow(
      'to: a module converts to a float dtype: float32 or float64: "int32"',
    );
    expect(() => net.to('cuda:x' as never)).toThrow('to: device must be "cpu", "cuda" or "cuda:N": "cuda:x"');
  });
});
