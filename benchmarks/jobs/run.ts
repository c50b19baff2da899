// The two kinds of runs, from a model and its data.
import { crossEntropy, manualSeed, type nn, noGrad, type optim, type Tensor, tidy } from 'athanor';
import type { JobRun } from './job.js';

/** Data of a training job: scores of `x` are compared with the classes in `target`. */
type TrainingData = { readonly x: Tensor; readonly target: Tensor };

/** Training steps on one batch: zeroGrad, forward, cross entropy, backward, step. */
export function training<M extends nn.Module>(
  build: () => M,
  optimizerOf: (model: M) => optim.Optimizer,
  data: () => TrainingData,
): JobRun {
  manualSeed(0);
  const model = build();
  const inputs = data();
  const optimizer = optimizerOf(model);
  const step = () => {
    optimizer.zeroGrad();
    const loss = crossEntropy(model.forward(inputs.x), inputs.target);
    loss.backward();
    optimizer.step();
    return loss;
  };
  return { model, inputs, run: () => tidy(step) };
}

/**
 * Evaluations of one input without gradients. `prepare` may change a model of the same weights to one that evaluates
 * faster; peers get the original.
 */
export function inference<M extends nn.Module>(
  build: () => M,
  data: () => Tensor,
  prepare: (model: M, x: Tensor) => nn.Module = (model) => model,
): JobRun {
  manualSeed(0);
  const model = build().eval();
  const x = data();
  const copy = build().eval();
  copy.loadStateDict(model.stateDict());
  const prepared = prepare(copy, x);
  const forward = () => noGrad(() => prepared.forward(x));
  return { model, inputs: { x }, run: () => tidy(forward) };
}
