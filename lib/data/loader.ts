import { runIn } from '../context.js';
import { fail, show } from '../errors.js';
import { tidy } from '../memory.js';
import { randomWord } from '../ops/make/philox.js';
import { checkFlag, checkOptions } from '../options.js';
import { defaultGenerator } from '../random.js';
import { checkInteger } from '../shape.js';
import { Tensor } from '../tensor.js';
import type { Dataset } from './dataset.js';
import { shuffledOrder } from './order.js';

/** How a data set is cut into batches. */
export interface DataLoaderOptions {
  /** Samples of a batch. Default 1. */
  readonly batchSize?: number;
  /** Draw a new order for every epoch. Default false: the order of the data set. */
  readonly shuffle?: boolean;
  /**
   * Fixes the orders of all epochs; a whole number from 0 to 2^53 - 1. Default, where there is something to shuffle: drawn
   * from the default generator, which manualSeed() seeds; the field `seed` tells it.
   */
  readonly seed?: number;
  /** Leave out the last batch where it is smaller than the others. Default false. */
  readonly dropLast?: boolean;
  /** Batches that are prepared while the program works on the one before; 0 prepares each when it is asked for. Default 2. */
  readonly prefetch?: number;
  /** Changes a batch on its way, beside training: conversion, scaling, augmentation. */
  readonly transform?: (batch: Tensor[]) => Tensor[] | Promise<Tensor[]>;
}

type Batch = Tensor[] | Promise<Tensor[]>;

/** A seed of 53 bits from the default generator. */
function drawnSeed(): number {
  const stream = defaultGenerator.take(2);
  return (randomWord(stream, 0) >>> 11) * 2 ** 32 + randomWord(stream, 1);
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null)?.then === 'function';
}

function checkBatch(op: string, batch: unknown): Tensor[] {
  if (Array.isArray(batch) && batch.every((t) => t instanceof Tensor)) return batch;
  return fail('DataLoader', `${op} must return an array of tensors`, show(batch));
}

/**
 * Batches of a data set, in order or shuffled, prepared ahead of their use.
 *
 * `for (const [x, y] of loader)` in a synchronous loop, or `for await` where the data set or the transform is asynchronous.
 * The gathering and the transform run on a stream of their own, beside the training, without gradients. Each loop over the
 * loader is one epoch and moves `epoch` on; the same (seed, epoch) gives the same batches.
 *
 * @throws AthanorError when an option is out of range, the data set or the transform returns anything but tensors, or a
 * synchronous loop meets an asynchronous data set
 */
export class DataLoader {
  readonly dataset: Dataset;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly seed: number;
  readonly dropLast: boolean;
  readonly prefetch: number;
  /** The epoch that the next loop runs, from 0. Set it to go on where an earlier run ended. */
  epoch = 0;
  readonly #transform: DataLoaderOptions['transform'];

  constructor(dataset: Dataset, options: DataLoaderOptions = {}) {
    checkOptions('DataLoader', options, ['batchSize', 'shuffle', 'seed', 'dropLast', 'prefetch', 'transform']);
    const { batchSize = 1, shuffle = false, dropLast = false, prefetch = 2, transform } = options;
    if (typeof dataset?.batch !== 'function')
      fail('DataLoader', 'a data set with size and batch() was expected', show(dataset));
    if (transform !== undefined && typeof transform !== 'function') {
      fail('DataLoader', 'transform must be a function', show(transform));
    }
    checkInteger('DataLoader', "the data set's size", dataset.size);
    this.dataset = dataset;
    this.batchSize = checkInteger('DataLoader', 'batchSize', batchSize, 1);
    this.prefetch = checkInteger('DataLoader', 'prefetch', prefetch, 0, 1000);
    this.shuffle = checkFlag('DataLoader', 'shuffle', shuffle);
    this.dropLast = checkFlag('DataLoader', 'dropLast', dropLast);
    this.#transform = transform;
    // Drawn last: a call that fails, or that shuffles nothing, leaves the generator as it was.
    this.seed = checkInteger('DataLoader', 'seed', options.seed ?? (this.shuffle ? drawnSeed() : 0));
  }

  /** Batches of one epoch. */
  get length(): number {
    const batches = this.dataset.size / this.batchSize;
    return this.dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  /** Starts preparing one batch on the loading stream. What is made on the way and not handed on is freed at once. */
  #prepare(indices: Int32Array): Batch {
    const work = (): Batch => {
      const gathered = this.dataset.batch(indices);
      if (!isPromise(gathered)) return this.#transformed(gathered);
      return gathered.then((batch) => this.#transformed(batch));
    };
    const batch = runIn({ stream: 1, grad: false, scope: null }, () => tidy(work));
    // Whoever asks for the batch hears of its failure; until then it must not count as unhandled.
    if (isPromise(batch)) batch.catch(() => undefined);
    return batch;
  }

  #transformed(given: Tensor[]): Batch {
    const batch = checkBatch('batch()', given);
    if (this.#transform === undefined) return batch;
    const result = this.#transform(batch);
    if (!isPromise(result)) return checkBatch('transform', result);
    return result.then((changed) => checkBatch('transform', changed));
  }

  /** The batches of the next epoch, each prepared `prefetch` batches before it is asked for. */
  *#batches(): Generator<Batch, void, void> {
    const { size } = this.dataset;
    const epoch = this.epoch++;
    const order = this.shuffle ? shuffledOrder(size, this.seed, epoch) : Int32Array.from({ length: size }, (_, i) => i);
    const count = this.length;
    const ahead: Batch[] = [];
    let next = 0;
    const fill = (until: number) => {
      for (; next < Math.min(until, count); next++) {
        ahead.push(this.#prepare(order.slice(next * this.batchSize, (next + 1) * this.batchSize)));
      }
    };
    for (let i = 0; i < count; i++) {
      fill(i + 1 + this.prefetch);
      yield ahead.shift()!;
    }
  }

  *[Symbol.iterator](): Generator<Tensor[], void, void> {
    for (const batch of this.#batches()) {
      if (isPromise(batch)) {
        fail('DataLoader', 'this data set or transform is asynchronous', 'loop over it with for await');
      }
      yield batch;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Tensor[], void, void> {
    for (const batch of this.#batches()) yield await batch;
  }
}
