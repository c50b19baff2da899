import { type DataLoader, type LabelledImages, type nn, optim } from 'athanor';
import { type Judgement, judge } from './judge.js';
import type { StepRecord } from './metrics.js';
import type { Options } from './options.js';
import { type Progress, percent } from './progress.js';
import type { Results } from './results.js';
import type { Stop } from './stop.js';
import { trainEpoch } from './train.js';

function makeOptimizer({ optimizer, lr }: Options, model: nn.Module) {
  const parameters = model.parameters();
  if (optimizer === 'sgd') return new optim.SGD(parameters, { lr, momentum: 0.9, nesterov: true });
  if (optimizer === 'adamw') return new optim.AdamW(parameters, { lr, weightDecay: 0.01 });
  return new optim.Adam(parameters, { lr });
}

/** What came out of a run. */
export interface Outcome {
  readonly judgement: Judgement;
  readonly steps: number;
  /** Of training, without judging. */
  readonly seconds: number;
}

/** Trains epoch by epoch, judging and saving the network after each; ends early when a stop is asked for. */
export async function learn(
  model: nn.Module,
  loaders: { readonly train: DataLoader; readonly test: DataLoader },
  test: LabelledImages,
  options: Options,
  progress: Progress,
  results: Results,
  stop: Stop,
): Promise<Outcome> {
  const optimizer = makeOptimizer(options, model);
  const extent = { epochs: options.epochs, stepsPerEpoch: loaders.train.length, batchSize: loaders.train.batchSize };
  let judgement: Judgement | undefined;
  let steps = 0;
  let seconds = 0;
  for (let epoch = 1; epoch <= options.epochs && !stop.requested; epoch++) {
    const before = seconds;
    const start = performance.now() - before * 1000;
    const onStep = (record: StepRecord) => {
      results.record(record);
      progress.step(record, extent);
    };
    const { epochs, lr: highestRate } = options;
    steps += await trainEpoch({
      model,
      optimizer,
      loader: loaders.train,
      epoch,
      epochs,
      highestRate,
      start,
      stop,
      onStep,
    });
    seconds = (performance.now() - start) / 1000;
    judgement = await judge(model, loaders.test, test);
    const { loss, accuracy } = judgement;
    results.record({ kind: 'test', step: steps, epoch, loss, accuracy, seconds });
    progress.say(
      `epoch ${epoch}/${epochs}: ${percent(accuracy)} of the test digits right, test loss ${loss.toFixed(4)}, ${(seconds - before).toFixed(1)} s`,
    );
    await results.saveModel(model, { model: options.model, epoch: String(epoch), accuracy: String(accuracy) });
  }
  judgement ??= await judge(model, loaders.test, test);
  return { judgement, steps, seconds };
}
