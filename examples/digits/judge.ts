import { type DataLoader, type LabelledImages, type nn, noGrad, tidy } from 'athanor';
import type { Mistake } from './mistakes.js';

/** How the network does on the test digits. */
export interface Judgement {
  /** Mean cross entropy. */
  readonly loss: number;
  /** Fraction guessed right. */
  readonly accuracy: number;
  /** All digits guessed wrong, the surest guess first. */
  readonly mistakes: readonly Mistake[];
}

function largest(values: Float32Array, from: number, to: number): number {
  let best = from;
  for (let i = from + 1; i < to; i++) if (values[i] > values[best]) best = i;
  return best - from;
}

/** Lets the network guess every test digit. */
export async function judge(model: nn.Module, loader: DataLoader, digits: LabelledImages): Promise<Judgement> {
  const { images, labels, count, height, width } = digits;
  model.eval();
  let [sum, at] = [0, 0];
  const mistakes: Mistake[] = [];
  await noGrad(async () => {
    for await (const [batch, truths] of loader) {
      const [size, classes] = [batch.shape[0], 10];
      const scores = tidy(() => model.forward(batch).logSoftmax(1));
      const logs = await scores.dataAs('float32');
      for (const t of [batch, truths, scores]) t.dispose();
      for (let i = 0; i < size; i++, at++) {
        const truth = labels[at];
        const guess = largest(logs, i * classes, (i + 1) * classes);
        sum -= logs[i * classes + truth];
        if (guess === truth) continue;
        const pixels = images.subarray(at * height * width, (at + 1) * height * width);
        mistakes.push({ index: at, pixels, truth, guess, confidence: Math.exp(logs[i * classes + guess]) });
      }
    }
  });
  mistakes.sort((a, b) => b.confidence - a.confidence || a.index - b.index);
  return { loss: sum / count, accuracy: 1 - mistakes.length / count, mistakes };
}
