import { crossEntropy, type DataLoader, type nn, type optim, type Tensor, tidy } from 'athanor';
import type { StepRecord } from './metrics.js';
import type { Stop } from './stop.js';

/** Steps that are handed to the engine before the oldest one's loss is awaited: enough to keep it busy. */
const AHEAD = 4;

/** One pass of the training loop over the data, and what it is told. */
export interface EpochJob {
  readonly model: nn.Module;
  readonly optimizer: optim.Optimizer;
  readonly loader: DataLoader;
  readonly epoch: number;
  readonly epochs: number;
  readonly highestRate: number;
  /** When training began, as performance.now() has it. */
  readonly start: number;
  readonly stop: Stop;
  readonly onStep: (record: StepRecord) => void;
}

/** Fraction of all steps over which the learning rate rises. */
const WARM_UP = 0.1;

/**
 * The learning rate of a step: a straight rise to the highest rate, then half a cosine down to 0 (Loshchilov and Hutter,
 * "SGDR", 2017, without restarts). A short run ends far better so than at a constant rate.
 */
export function learningRate(highest: number, step: number, steps: number): number {
  const rise = Math.max(1, Math.round(WARM_UP * steps));
  if (step < rise) return (highest * (step + 1)) / rise;
  return 0.5 * highest * (1 + Math.cos((Math.PI * (step - rise)) / Math.max(1, steps - rise)));
}

interface Pending {
  readonly step: number;
  readonly learningRate: number;
  readonly loss: Tensor;
  readonly accuracy: Tensor;
}

/** Trains for one epoch, or until a stop is asked for, and returns the steps done. */
export async function trainEpoch(job: EpochJob): Promise<number> {
  const { model, optimizer, loader, epoch, epochs, stop } = job;
  const before = (epoch - 1) * loader.length;
  const pending: Pending[] = [];
  const report = async () => {
    const { step, learningRate, loss, accuracy } = pending.shift()!;
    const [lossValue, accuracyValue] = await Promise.all([loss.item(), accuracy.item()]);
    const seconds = (performance.now() - job.start) / 1000;
    job.onStep({ kind: 'step', step, epoch, loss: lossValue, accuracy: accuracyValue, learningRate, seconds });
  };

  model.train();
  let done = 0;
  for await (const [images, labels] of loader) {
    if (stop.requested) break;
    optimizer.lr = learningRate(job.highestRate, before + done, epochs * loader.length);
    // tidy() frees the activations of a step at once; without it the garbage collector would, a few steps later.
    const told = tidy(() => {
      optimizer.zeroGrad();
      const scores = model.forward(images);
      const loss = crossEntropy(scores, labels);
      loss.backward();
      optimizer.step();
      return { loss: loss.detach(), accuracy: scores.detach().argmax(1).eq(labels).mean() };
    });
    images.dispose();
    labels.dispose();
    done++;
    pending.push({ step: before + done, learningRate: optimizer.lr, ...told });
    if (pending.length > AHEAD) await report();
  }
  while (pending.length > 0) await report();
  return done;
}
