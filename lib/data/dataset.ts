import type { Tensor } from '../tensor.js';

/** Samples that a {@link DataLoader} takes in batches: from memory, from files, or made as they are asked for. */
export interface Dataset {
  /** How many samples there are. */
  readonly size: number;
  /** The samples at these positions (each from 0 to size - 1), one tensor for each kind of value, samples along axis 0. */
  batch(indices: Int32Array): Tensor[] | Promise<Tensor[]>;
}
