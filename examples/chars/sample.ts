import { noGrad, rand, tensor, tidy } from 'athanor';
import type { CharModel } from './models.js';
import type { Corpus } from './text.js';

/** The place in running sums of probabilities where a number between 0 and 1 falls. */
function chosen(probabilities: ArrayLike<number>, at: number): number {
  let sum = 0;
  for (let i = 0; i < probabilities.length - 1; i++) {
    sum += probabilities[i];
    if (at < sum) return i;
  }
  return probabilities.length - 1;
}

/** Text that the model writes, one character after another, each drawn from what it expects. */
export function sample(model: CharModel, { symbols, codes }: Corpus, length: number, back: number): string {
  model.eval();
  const written = [codes[0]];
  while (written.length < length) {
    const recent = written.slice(-(model.context ?? back));
    const [probabilities, at] = tidy(() =>
      noGrad(() => {
        const x = tensor(Int32Array.from(recent), { shape: [1, recent.length] });
        const scores = model.forward(x).select(1, -1).flatten();
        return [scores.softmax().dataSync(), rand([]).itemSync()];
      }),
    );
    written.push(chosen(probabilities, at));
  }
  model.train();
  return written.map((code) => symbols[code]).join('');
}
