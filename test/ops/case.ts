// How the rows' test cases are written. A family's cases lie in cases/<family>.ts, which exports
//
//   export const cases: Record<string, Case[]> = { softmax: [{ inputs: [{ shape: [3, 5] }], attrs: { axis: -1 } }] };
//   export const errors: ErrorCase[] = [{ name: 'axis', call: () => zeros([2]).softmax(3), message: /^softmax: axis/ }];
//
// and, where sizes matter that cases need not have, `export const perf: Record<string, Case[]>` for `npm run ops -- perf`.
//
// `cases` is keyed by the name of the row; every row that is declared needs at least one case. A case says only what is
// special to the row: shapes and attributes. From each one the suite derives by itself
//   - float32 and float64 runs, and int32, uint8 and bool ones where the row's infer() accepts them;
//   - every kernel of the row, forced in turn; one thread and several;
//   - transposed, stepped, expanded, reversed and offset layouts of every input;
//   - for rows that accept one-dimensional inputs of one common size under the case's attributes: sizes 0, 1, and around
//     the vector widths, up to more than a thousand; and inputs of 0, -0, infinities, nan, denormals and huge numbers;
//   - gradient and second gradient against central differences in float64, with a random cotangent;
//   - a check that no buffer is left behind.
// So cases need not repeat shapes for those; they should cover axes (negative ones too), broadcasting, groups, strides,
// paddings, an empty input where it is allowed, and whatever a kernel treats on a path of its own.
import type { DType } from '../../lib/dtype.js';

/** One tensor input of a case. Its values are drawn from the seed of the run, uniformly from [low, high). */
export interface InputSpec {
  readonly shape: readonly number[];
  /** Absent: the dtype under test (all inputs without one share it). Given: always this dtype (an index, a mask). */
  readonly dtype?: DType;
  /** Default -2; 0 for int32 and uint8 inputs given by `dtype`, whose default for `high` is 10. */
  readonly low?: number;
  /** Default 2. Whole-number inputs stay below it. */
  readonly high?: number;
  /** No two values alike, none closer than the step of a central difference: for max, sort and the like. */
  readonly distinct?: boolean;
  /** Whole numbers only, in any dtype. */
  readonly integers?: boolean;
  /** Exactly these values, row-major, in place of drawn ones. */
  readonly values?: readonly number[];
}

/** One call of a row: what its `infer`, `ref` and kernels get. */
export interface Case {
  /** In the order of the row's inputs; a plain number is passed as a number. */
  readonly inputs: readonly (InputSpec | number)[];
  /** The attributes, exactly as the row's own functions take them; `undefined` for rows without. */
  readonly attrs?: unknown;
  /** Why a row that has a gradient is not compared with central differences in this case, for example `kink at 0`. */
  readonly skipGrad?: string;
  /** Tolerances follow from dtype and row in tolerance.ts, never from a case. */
  readonly tolerance?: never;
}

/** A call that must throw: the promised message is part of the public behaviour. */
export interface ErrorCase {
  /** What is wrong with the call, as the test's name shows it. */
  readonly name: string;
  /** Makes the call; may be asynchronous where the mistake lies in the data and is found by the stream. */
  readonly call: () => unknown;
  /** Matched against the whole message (a string must be contained in it): `op: what is wrong: what was given`. */
  readonly message: RegExp | string;
}
