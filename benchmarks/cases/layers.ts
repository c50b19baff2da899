// Recurrent layers over whole sequences: forward and backward.
import type { Case } from '../case.js';

/** x [steps, batch, features]; both weights and both biases as PyTorch lays them out, for `gates` gates. */
function recurrent(work: string, gates: number, steps: number, batch: number, size: number, quick: boolean): Case[] {
  const range = { low: -0.08, high: 0.08 };
  const inputs = [
    { shape: [steps, batch, size] },
    { shape: [gates * size, size], ...range },
    { shape: [gates * size, size], ...range },
    { shape: [gates * size], ...range },
    { shape: [gates * size], ...range },
  ];
  const name = `${work} ${steps} steps of ${batch}x${size}`;
  const base = { group: 'layers', work, inputs, quick, tolerance: 1e-3 } as const;
  return [
    { ...base, name },
    { ...base, name: `${name}: gradients`, gradient: -1 },
  ];
}

export const cases: readonly Case[] = [
  ...recurrent('lstm', 4, 64, 64, 256, true),
  ...recurrent('gru', 3, 64, 64, 256, true),
  ...recurrent('rnn', 1, 64, 64, 256, true),
  ...recurrent('lstm', 4, 128, 1, 128, false),
];
