import type { Dataset } from '../../lib/data/dataset.js';
import { DataLoader } from '../../lib/data/loader.js';
import { isGradEnabled, keep, manualSeed, ones, rand, type Tensor, tensor, tidy } from '../../lib/index.js';

/** Samples 0, 1, 2, ...; remembers what it was asked for. */
function counting(size: number): Dataset & { asked: number[][] } {
  const asked: number[][] = [];
  return {
    size,
    asked,
    batch(indices) {
      asked.push([...indices]);
      return [tensor(indices)];
    },
  };
}

const asynchronous = (size: number): Dataset => ({
  size,
  batch: async (indices) => {
    await new Promise((resolve) => setTimeout(resolve, 2));
    return [tensor(indices)];
  },
});

const values = (batches: Iterable<Tensor[]>) => [...batches].map(([x]) => [...x.dataSync()]);

async function collect(batches: AsyncIterable<Tensor[]>): Promise<number[][]> {
  const out: number[][] = [];
  for await (const [x] of batches) out.push([...(await x.data())]);
  return out;
}

describe('batches', () => {
  test('cover the data set in order; the last may be smaller, or is left out', async () => {
    const loader = new DataLoader(counting(7), { batchSize: 3 });
    expect(loader.length).toBe(3);
    expect(values(loader)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    expect(await collect(loader)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    const dropping = new DataLoader(counting(7), { batchSize: 3, dropLast: true });
    expect(dropping.length).toBe(2);
    expect(values(dropping)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
  });

  test('of one sample each by default; none of an empty data set', () => {
    expect(values(new DataLoader(counting(3)))).toEqual([[0], [1], [2]]);
    expect(values(new DataLoader(counting(0), { batchSize: 4 }))).toEqual([]);
    expect(new DataLoader(counting(2), { batchSize: 4, dropLast: true }).length).toBe(0);
  });
});

describe('shuffling', () => {
  const order = (loader: DataLoader) => values(loader).flat();

  test('shows every sample once, in a new order each epoch, repeatable by seed and epoch', () => {
    const make = (seed: number) => new DataLoader(counting(100), { batchSize: 8, shuffle: true, seed });
    const one = make(5);
    const [first, second] = [order(one), order(one)];
    for (const epoch of [first, second]) {
      expect([...epoch].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    }
    expect(second).not.toEqual(first);
    expect(one.epoch).toBe(2);
    const again = make(5);
    again.epoch = 1;
    expect(order(again)).toEqual(second);
    expect(order(make(6))).not.toEqual(first);
  });

  test('is fair: each sample comes first about equally often', () => {
    const firsts = new Array<number>(5).fill(0);
    const loader = new DataLoader(counting(5), { shuffle: true, seed: 0, prefetch: 0 });
    for (let epoch = 0; epoch < 2000; epoch++) {
      for (const [x] of loader) {
        firsts[x.dataSync()[0]]++;
        break;
      }
    }
    for (const count of firsts) expect(Math.abs(count - 400)).toBeLessThan(80);
  });

  test('without a seed follows from manualSeed, and differs from loader to loader', () => {
    const drawn = () => order(new DataLoader(counting(100), { shuffle: true }));
    manualSeed(3);
    const [first, second] = [drawn(), drawn()];
    expect(second).not.toEqual(first);
    manualSeed(3);
    expect([drawn(), drawn()]).toEqual([first, second]);
    manualSeed(4);
    expect(drawn()).not.toEqual(first);
  });

  test('without a seed tells the one it drew', () => {
    const loader = new DataLoader(counting(100), { shuffle: true });
    expect(Number.isSafeInteger(loader.seed)).toBe(true);
    expect(order(new DataLoader(counting(100), { shuffle: true, seed: loader.seed }))).toEqual(order(loader));
  });

  test('draws nothing where it has a seed, there is none to do, or the options are wrong', () => {
    manualSeed(3);
    const next = rand([1]).itemSync();
    manualSeed(3);
    new DataLoader(counting(3), { shuffle: true, seed: 5 });
    new DataLoader(counting(3));
    expect(() => new DataLoader(counting(3), { shuffle: true, batchSize: 0 })).toThrow('DataLoader: batchSize');
    expect(rand([1]).itemSync()).toBe(next);
  });
});

describe('prefetching', () => {
  test.each([0, 1, 3])('%i batches are asked for ahead of their use', (prefetch) => {
    const dataset = counting(10);
    const loader = new DataLoader(dataset, { prefetch });
    const seen: number[] = [];
    for (const _ of loader) seen.push(dataset.asked.length);
    expect(seen).toEqual(Array.from({ length: 10 }, (_, i) => Math.min(10, i + 1 + prefetch)));
  });

  test('an epoch that is left early asks for no more', () => {
    const dataset = counting(10);
    for (const _ of new DataLoader(dataset, { prefetch: 2 })) break;
    expect(dataset.asked.length).toBe(3);
  });

  test('several asynchronous batches are under way at once, and come in order', async () => {
    let [running, most] = [0, 0];
    const dataset: Dataset = {
      size: 6,
      batch: async (indices) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 10 - indices[0]));
        running--;
        return [tensor(indices)];
      },
    };
    expect(await collect(new DataLoader(dataset, { prefetch: 2 }))).toEqual([[0], [1], [2], [3], [4], [5]]);
    expect(most).toBe(3);
  });
});

describe('the transform', () => {
  const double = ([x]: Tensor[]) => [x.mul(2).add(1)];

  test('changes every batch, synchronous or not', async () => {
    const expected = [
      [1, 3],
      [5, 7],
    ];
    expect(values(new DataLoader(counting(4), { batchSize: 2, transform: double }))).toEqual(expected);
    const later = async (batch: Tensor[]) => double(batch);
    expect(await collect(new DataLoader(counting(4), { batchSize: 2, transform: later }))).toEqual(expected);
    expect(await collect(new DataLoader(asynchronous(4), { batchSize: 2, transform: double }))).toEqual(expected);
  });

  test('runs without gradients, and what it makes on the way is freed', () => {
    const onTheWay: Tensor[] = [];
    const weight = ones([1], { requiresGrad: true });
    const transform = ([x]: Tensor[]) => {
      expect(isGradEnabled()).toBe(false);
      const made = x.cast('float32').mul(weight);
      onTheWay.push(x, made);
      return [made.add(1)];
    };
    for (const [x] of new DataLoader(counting(3), { transform })) expect(x.requiresGrad).toBe(false);
    expect(onTheWay.map(({ disposed }) => disposed)).toEqual(onTheWay.map(() => true));
    expect(isGradEnabled()).toBe(true);
  });

  test('tensors that a data set keeps for itself stay alive, and batches outlive a tidy around the loop', () => {
    const own = keep(tensor([1, 2, 3]));
    const dataset: Dataset = { size: 2, batch: () => [own] };
    for (const _ of new DataLoader(dataset, { transform: ([x]) => [x.add(1)] }));
    expect(own.disposed).toBe(false);
    const loader = new DataLoader(counting(3));
    const batches = loader[Symbol.iterator]();
    tidy(() => {
      batches.next();
    });
    expect([...batches].map(([x]) => x.itemSync())).toEqual([1, 2]);
  });
});

describe('refusing', () => {
  test.each([
    [{ batchSize: 0 }, 'DataLoader: batchSize must be a whole number of 1 or more: 0'],
    [{ batchSize: 1.5 }, 'DataLoader: batchSize must be a whole number of 1 or more: 1.5'],
    [{ seed: -1 }, 'DataLoader: seed must be a whole number of 0 or more: -1'],
    [{ prefetch: -1 }, 'DataLoader: prefetch must be a whole number from 0 to 1000: -1'],
    [{ transform: 3 as never }, 'DataLoader: transform must be a function: 3'],
  ])('%j', (options, message) => {
    expect(() => new DataLoader(counting(3), options)).toThrow(message);
  });

  test('what is not a data set', () => {
    expect(() => new DataLoader([1, 2] as never)).toThrow('DataLoader: a data set with size and batch() was expected');
    expect(() => new DataLoader({ size: 1.5, batch: () => [] })).toThrow(/^DataLoader: the data set's size must be/);
  });

  test('batches that are no tensors', async () => {
    const wrong: Dataset = { size: 1, batch: () => [1] as never };
    expect(() => values(new DataLoader(wrong))).toThrow('DataLoader: batch() must return an array of tensors: [1]');
    const loader = new DataLoader(counting(1), { transform: async () => undefined as never });
    await expect(collect(loader)).rejects.toThrow('DataLoader: transform must return an array of tensors: undefined');
  });

  test('a synchronous loop over an asynchronous data set', () => {
    expect(() => values(new DataLoader(asynchronous(3)))).toThrow(
      'DataLoader: this data set or transform is asynchronous: loop over it with for await',
    );
  });

  test('a failing batch reaches the loop that asks for it, not the process', async () => {
    const dataset: Dataset = {
      size: 4,
      batch: async (indices) => {
        if (indices[0] === 2) throw new Error('no such file');
        return [tensor(indices)];
      },
    };
    const seen: number[] = [];
    const loop = async () => {
      for await (const [x] of new DataLoader(dataset, { prefetch: 3 })) {
        seen.push(await x.item());
        await new Promise((resolve) => setTimeout(resolve, 5)); // long enough for an unhandled rejection to be noticed
      }
    };
    await expect(loop()).rejects.toThrow('no such file');
    expect(seen).toEqual([0, 1]);
  });
});
