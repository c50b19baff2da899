// Ten steps of every optimizer against its formula, written out in plain numbers.
import { optim, type Tensor, tensor } from '../../lib/index.js';

const start = [0.5, -1.25, 2, 0];
const gradients = Array.from({ length: 10 }, (_, t) => start.map((_, i) => Math.sin(1 + 3 * t + 7 * i)));

/** Parameters after each step of an optimizer. */
function trajectory(make: (params: Tensor[]) => { step(): void }): number[][] {
  const p = tensor(Float64Array.from(start), { requiresGrad: true });
  const optimizer = make([p]);
  return gradients.map((g) => {
    p.grad = tensor(Float64Array.from(g));
    optimizer.step();
    return [...p.dataSync()];
  });
}

/** The same by a formula for one element; `memory` starts empty and stays with the element. */
function byHand(update: (p: number, g: number, t: number, memory: Record<string, number>) => number): number[][] {
  const memories: Record<string, number>[] = start.map(() => ({}));
  let now = start;
  return gradients.map((g, step) => {
    now = now.map((p, i) => update(p, g[i], step + 1, memories[i]));
    return now;
  });
}

function expectClose(actual: number[][], expected: number[][]): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((row, t) => {
    row.forEach((v, i) => {
      expect(Math.abs(v - expected[t][i])).toBeLessThan(1e-14 * (1 + Math.abs(v)));
    });
  });
}

describe('SGD', () => {
  test('plain', () => {
    expectClose(
      trajectory((p) => new optim.SGD(p, { lr: 0.1 })),
      byHand((p, g) => p - 0.1 * g),
    );
  });

  test('with momentum, dampening and weight decay; the first step is not dampened', () => {
    expectClose(
      trajectory((p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9, dampening: 0.3, weightDecay: 0.01 })),
      byHand((p, g, t, m) => {
        const decayed = g + 0.01 * p;
        m.b = t === 1 ? decayed : 0.9 * m.b + 0.7 * decayed;
        return p - 0.1 * m.b;
      }),
    );
  });

  test("with Nesterov's momentum, climbing", () => {
    expectClose(
      trajectory((p) => new optim.SGD(p, { lr: 0.1, momentum: 0.8, nesterov: true, maximize: true })),
      byHand((p, g, _t, m) => {
        m.b = 0.8 * (m.b ?? 0) - g;
        return p - 0.1 * (-g + 0.8 * m.b);
      }),
    );
  });

  test('a momentum that is switched on later starts with the gradient of that step', () => {
    let optimizer: optim.SGD | undefined;
    let steps = 0;
    const path = trajectory((p) => {
      optimizer = new optim.SGD(p, { lr: 0.1, dampening: 0.5 });
      return {
        step() {
          if (++steps === 4) (optimizer as optim.SGD).paramGroups[0].momentum = 0.9;
          (optimizer as optim.SGD).step();
        },
      };
    });
    expectClose(
      path,
      byHand((p, g, t, m) => {
        if (t < 4) return p - 0.1 * g;
        m.b = t === 4 ? g : 0.9 * m.b + 0.5 * g;
        return p - 0.1 * m.b;
      }),
    );
  });
});

describe('Adam', () => {
  const adam = (decay: number, decoupled: number, amsgrad: boolean) =>
    byHand((p, given, t, m) => {
      const kept = p * (1 - 0.05 * decoupled);
      const g = given + decay * p;
      m.m = 0.8 * (m.m ?? 0) + 0.2 * g;
      m.v = 0.95 * (m.v ?? 0) + 0.05 * g * g;
      m.top = Math.max(m.top ?? 0, m.v);
      const v = amsgrad ? m.top : m.v;
      return kept - (0.05 * (m.m / (1 - 0.8 ** t))) / (Math.sqrt(v / (1 - 0.95 ** t)) + 1e-6);
    });
  const options = { lr: 0.05, betas: [0.8, 0.95], eps: 1e-6 } as const;

  test('plain', () => {
    expectClose(
      trajectory((p) => new optim.Adam(p, options)),
      adam(0, 0, false),
    );
  });

  test('with weight decay, which goes through the averages', () => {
    expectClose(
      trajectory((p) => new optim.Adam(p, { ...options, weightDecay: 0.1 })),
      adam(0.1, 0, false),
    );
  });

  test('amsgrad', () => {
    expectClose(
      trajectory((p) => new optim.Adam(p, { ...options, amsgrad: true })),
      adam(0, 0, true),
    );
  });

  test('AdamW, whose weight decay does not', () => {
    expectClose(
      trajectory((p) => new optim.AdamW(p, { ...options, weightDecay: 0.1 })),
      adam(0, 0.1, false),
    );
    expectClose(
      trajectory((p) => new optim.AdamW(p, options)),
      adam(0, 0.01, false),
    );
  });
});

describe('RMSprop', () => {
  test.each([
    { momentum: 0, centered: false },
    { momentum: 0.9, centered: false },
    { momentum: 0, centered: true },
    { momentum: 0.9, centered: true },
  ])('momentum $momentum, centered $centered', ({ momentum, centered }) => {
    expectClose(
      trajectory(
        (p) => new optim.RMSprop(p, { lr: 0.02, alpha: 0.9, eps: 1e-4, weightDecay: 0.1, momentum, centered }),
      ),
      byHand((p, given, _t, m) => {
        const g = given + 0.1 * p;
        m.v = 0.9 * (m.v ?? 0) + 0.1 * g * g;
        m.a = 0.9 * (m.a ?? 0) + 0.1 * g;
        const step = g / (Math.sqrt(centered ? m.v - m.a ** 2 : m.v) + 1e-4);
        m.b = momentum * (m.b ?? 0) + step;
        return p - 0.02 * m.b;
      }),
    );
  });
});

test('Adagrad, with a rate that decays and sums that do not start at zero', () => {
  expectClose(
    trajectory((p) => new optim.Adagrad(p, { lr: 0.1, lrDecay: 0.2, initialAccumulatorValue: 0.3 })),
    byHand((p, g, t, m) => {
      m.s = (m.s ?? 0.3) + g * g;
      return p - ((0.1 / (1 + (t - 1) * 0.2)) * g) / (Math.sqrt(m.s) + 1e-10);
    }),
  );
});
