// Recurrent layers over whole sequences, and attention: forward and backward.
import { type Case, times } from '../case.js';

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

/** Queries, keys and values [batch, heads, length, size of a head]. */
function attention(shape: readonly number[], causal: boolean, quick: boolean): Case[] {
  const inputs = [{ shape }, { shape }, { shape }];
  const name = `attention ${times(shape)}${causal ? ', causal' : ''}`;
  const base = { group: 'layers', work: 'attention', inputs, options: { causal }, quick } as const;
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
  ...attention([12, 4, 64, 32], true, true),
  ...attention([4, 12, 512, 64], true, false),
  ...attention([4, 12, 512, 64], false, false),
];
