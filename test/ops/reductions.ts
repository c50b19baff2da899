// Shapes and axes that take a reduction through every loop it has.
import type { Case, InputSpec } from './case.js';

/** One reduction of an input; `more` are attributes beside the axes. */
export function over(input: InputSpec, axes: readonly number[], keepDims = false, more: object = {}): Case {
  return { inputs: [input], attrs: { axes, keepDims, ...more } };
}

/** Rows, columns, a few columns, both around a kept axis, all axes, none of them, no results. */
export function shapes(input: Omit<InputSpec, 'shape'> = {}, more: object = {}): Case[] {
  return [
    over({ ...input, shape: [] }, [], false, more),
    over({ ...input, shape: [37] }, [0], false, more),
    over({ ...input, shape: [3, 5] }, [1], true, more),
    over({ ...input, shape: [5, 70] }, [0], false, more),
    over({ ...input, shape: [19, 3] }, [0], false, more),
    over({ ...input, shape: [2, 3, 4] }, [], false, more),
    over({ ...input, shape: [2, 3, 4] }, [0, 2], false, more),
    over({ ...input, shape: [2, 3, 4] }, [1], true, more),
    over({ ...input, shape: [2, 3, 2, 5] }, [0, 1, 3], false, more),
    over({ ...input, shape: [2, 3, 2, 5] }, [0, 1, 2, 3], true, more),
    over({ ...input, shape: [4, 0] }, [0], false, more),
  ];
}

/** Axes of no elements that still have results. */
export function empty(more: object = {}): Case[] {
  return [over({ shape: [4, 0] }, [1], false, more), over({ shape: [0] }, [0], true, more)];
}

/**
 * Long enough to be cut into pieces for several threads: columns, one result, few results; and many short rows, which
 * are folded side by side, rows around a kept axis, of which the outer or the inner folded axis is cut, and columns of
 * which rows are dealt out.
 */
export function long(input: Omit<InputSpec, 'shape'> = {}, more: object = {}): Case[] {
  return [
    over({ ...input, shape: [40, 900] }, [0], false, more),
    over({ ...input, shape: [34000] }, [0], false, more),
    over({ ...input, shape: [3, 12000] }, [1], false, more),
    over({ ...input, shape: [70, 49] }, [1], false, more),
    over({ ...input, shape: [2, 41, 3, 3] }, [2, 3], true, more),
    over({ ...input, shape: [4, 40, 23] }, [0, 2], false, more),
    over({ ...input, shape: [3, 70, 20] }, [0, 2], false, more),
    over({ ...input, shape: [3, 2, 9000] }, [0, 2], false, more),
    over({ ...input, shape: [2, 2, 20000] }, [0, 2], false, more),
    over({ ...input, shape: [700, 70] }, [0], false, more),
  ].map((c) => ({ ...c, skipGrad: 'the gradient of so many elements takes too long one by one' }));
}
