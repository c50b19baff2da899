// athanor's side of each case.
import * as athanor from 'athanor';
import type { Case } from './cases.js';
import type { Runner } from './timer.js';

const { nn, optim, Tensor } = athanor;

function model(work: string): athanor.nn.Module {
  if (work === 'tiny') return new nn.Sequential(new nn.Linear(2, 16), new nn.Tanh(), new nn.Linear(16, 2));
  if (work === 'mlp') {
    return new nn.Sequential(
      new nn.Linear(784, 512),
      new nn.ReLU(),
      new nn.Linear(512, 512),
      new nn.ReLU(),
      new nn.Linear(512, 10),
    );
  }
  return new nn.Sequential(
    new nn.Conv2d(1, 6, 5, { padding: 2 }),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(6, 16, 5),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(400, 120),
    new nn.ReLU(),
    new nn.Linear(120, 84),
    new nn.ReLU(),
    new nn.Linear(84, 10),
  );
}

const inputShape: Record<string, readonly number[]> = { tiny: [2], mlp: [784], lenet5: [1, 28, 28] };

/** One training step of a job on fixed random data. */
function step(work: string, batch: number): () => void {
  const net = model(work);
  const parameters = [...net.parameters()];
  const optimizer =
    work === 'mlp'
      ? new optim.Adam(parameters)
      : new optim.SGD(parameters, { lr: 0.01, momentum: work === 'tiny' ? 0 : 0.9 });
  const x = athanor.randn([batch, ...inputShape[work]]);
  const labels = athanor.randint(0, work === 'tiny' ? 2 : 10, [batch]);
  return () => {
    optimizer.zeroGrad();
    athanor.crossEntropy(net.forward(x), labels).backward();
    optimizer.step();
  };
}

/** One call of an op; its result is disposed of, as a peer's is by reference counting. */
function call(work: string, shapes: readonly (readonly number[])[], options: unknown): () => void {
  const inputs = shapes.map((shape) => athanor.rand([...shape]));
  const op = (athanor as unknown as Record<string, (...args: unknown[]) => athanor.Tensor>)[work];
  const rest = options === undefined ? [] : work === 'conv2d' ? [undefined, options] : [options];
  if (work === 'softmax') rest.push(1);
  return () => {
    const out = op(...inputs, ...rest);
    if (out instanceof Tensor) out.dispose();
  };
}

/** A runner for a case. */
export function athanorRunner(c: Case): Runner {
  const work = c.group === 'train' ? step(c.work, c.batch ?? 1) : call(c.work, c.shapes ?? [], c.options);
  return {
    name: 'athanor',
    run(calls) {
      const start = performance.now();
      for (let i = 0; i < calls; i++) work();
      athanor.synchronize();
      return (performance.now() - start) / 1000;
    },
  };
}
