// Whole models against PyTorch. The golden values were computed in float64 from weights and inputs that float32 holds
// exactly, so a difference is this side's rounding and nothing else. An error is the largest difference in a tensor as
// a fraction of its largest value.
//
// What is allowed, with what was found in brackets:
// - float64: 1e-13 (3e-15) for one pass and 1e-11 (1e-13) after ten steps.
// - float32: 3e-6 (7e-7) for one pass: some of its roundings of 6e-8, through up to eight layers and back; 5e-6 (7e-7)
//   after ten steps of SGD, losses and outputs included.
// - Weights after Adam and AdamW in float32: 1e-5 (4e-6) as a root mean square, 1e-3 (3e-4) for a single weight. They
//   divide by the root of the mean squared gradient: where that is no more than rounding, the step has its full size
//   but a direction of chance. PyTorch in float32 is as far from PyTorch in float64: 6e-6 and 2e-4.
// - LeNet-5's tensors are stored in float32, which costs up to 6e-8 whatever is computed.
import { crossEntropy, type nn, optim, type Tensor } from '../../lib/index.js';
import { errorOf, expectAll, type GoldenArray, type GoldenArrays, golden, tensorOf } from './files.js';
import { LeNet5, mlp, ResNet } from './models.js';

interface Run {
  readonly losses: number[];
  readonly final: GoldenArrays;
  readonly evaluated: GoldenArray;
}

interface Golden {
  readonly initial: GoldenArrays;
  readonly inputs: GoldenArray;
  readonly targets: GoldenArray;
  readonly logits: GoldenArray;
  readonly loss: number;
  readonly inputGradient: GoldenArray;
  readonly gradients: GoldenArrays;
  readonly runs: Record<string, Run>;
}

const optimizers: Record<string, (parameters: nn.Parameter[]) => Pick<optim.SGD, 'step' | 'zeroGrad'>> = {
  sgd: (p) => new optim.SGD(p, { lr: 0.05, momentum: 0.9 }),
  sgdNesterov: (p) => new optim.SGD(p, { lr: 0.05, momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
  adam: (p) => new optim.Adam(p, { lr: 0.01 }),
  adamw: (p) => new optim.AdamW(p, { lr: 0.01, weightDecay: 0.1 }),
};

const models: [name: string, make: () => nn.Module, content: Golden, labelSmoothing: number][] = [
  ['lenet5', () => new LeNet5(), { ...golden<Golden>('lenet5'), ...golden<Golden>('lenet5-training') }, 0],
  ['mlp', mlp, golden<Golden>('mlp'), 0.1],
  ['resnet', () => new ResNet(), golden<Golden>('resnet'), 0],
];

describe.each(['float64', 'float32'] as const)('%s', (dtype) => {
  describe.each(models)('%s', (_name, make, content, labelSmoothing) => {
    const build = () => {
      const model = make().to(dtype);
      const state = Object.entries(content.initial).map(([key, value]) => [key, tensorOf(value, dtype)]);
      model.loadStateDict(Object.fromEntries(state), { strict: false });
      return model;
    };
    const inputs = tensorOf(content.inputs, dtype);
    const targets = tensorOf(content.targets, dtype);
    const lossOf = (logits: Tensor, step: number) => crossEntropy(logits, targets.select(0, step), { labelSmoothing });
    const stored = content.logits.dtype === 'float32' ? 6e-8 : 0;

    test('the initial weights are all there', () => {
      expect(
        make()
          .namedParameters()
          .map(([name]) => name)
          .sort(),
      ).toEqual(Object.keys(content.initial).sort());
    });

    test('outputs, loss and every gradient', () => {
      const exact = dtype === 'float64' ? 1e-13 : 3e-6;
      const tolerance = stored + exact;
      const model = build();
      const x = inputs.select(0, 0).clone();
      x.requiresGrad = true;
      const logits = model.forward(x);
      const loss = lossOf(logits, 0);
      loss.backward();
      expect(errorOf(logits, content.logits)).toBeLessThanOrEqual(tolerance);
      expect(Math.abs(loss.itemSync() - content.loss)).toBeLessThanOrEqual(exact * content.loss);
      expect(errorOf(x.grad as Tensor, content.inputGradient)).toBeLessThanOrEqual(tolerance);
      expectAll(Object.fromEntries(model.namedParameters().map(([name, p]) => [name, p.grad])), content.gradients, {
        worst: tolerance,
        rms: tolerance,
      });
    });

    test.each(Object.keys(content.runs))('ten steps with %s', (name) => {
      const run = content.runs[name];
      const exact = dtype === 'float64' ? 1e-11 : 5e-6;
      const tolerance = stored + exact;
      const model = build();
      const optimizer = optimizers[name](model.parameters());
      const losses = run.losses.map((_, step) => {
        optimizer.zeroGrad();
        const loss = lossOf(model.forward(inputs.select(0, step)), step);
        loss.backward();
        optimizer.step();
        return loss.itemSync();
      });
      losses.forEach((loss, i) => {
        expect(Math.abs(loss - run.losses[i])).toBeLessThanOrEqual(exact * run.losses[i]);
      });
      const chance = dtype === 'float32' && name.startsWith('adam');
      expectAll(
        model.stateDict(),
        run.final,
        chance ? { worst: 1e-3, rms: 1e-5 } : { worst: tolerance, rms: tolerance },
      );
      expect(errorOf(model.eval().forward(inputs.select(0, 0)), run.evaluated)).toBeLessThanOrEqual(tolerance);
    });
  });
});
