/** What one training step showed. */
export interface StepRecord {
  readonly kind: 'step';
  /** Counted over all epochs, from 1. */
  readonly step: number;
  readonly epoch: number;
  /** Mean cross entropy of the batch. */
  readonly loss: number;
  /** Fraction of the batch that was guessed right. */
  readonly accuracy: number;
  readonly learningRate: number;
  /** Seconds since training began. */
  readonly seconds: number;
}

/** How the network does on the test digits after an epoch. */
export interface TestRecord {
  readonly kind: 'test';
  /** Steps done so far. */
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly seconds: number;
}

/** One line of metrics.jsonl. */
export type MetricRecord = StepRecord | TestRecord;

/** The mean of the last `size` values given: short enough to follow, long enough not to flicker. */
export class RecentMean {
  readonly #values: number[] = [];

  constructor(readonly size: number) {}

  add(value: number): void {
    this.#values.push(value);
    if (this.#values.length > this.size) this.#values.shift();
  }

  /** NaN before the first value. */
  get mean(): number {
    return this.#values.reduce((sum, value) => sum + value, 0) / this.#values.length;
  }
}
