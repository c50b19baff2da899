import { digitLabel, drawDigit, PICTURE } from '../../lib/data/digits/draw.js';
import { syntheticDigits } from '../../lib/data/digits/index.js';
import { digitStyles } from '../../lib/data/digits/outlines.js';
import { parseOutline } from '../../lib/data/digits/strokes.js';
import { Sfc32 } from '../../lib/sfc32.js';

const SIDE = 28;

function draw(seed: number, index: number): { label: number; pixels: Uint8Array } {
  const pixels = new Uint8Array(PICTURE);
  return { label: drawDigit(seed, 'train', index, pixels, 0), pixels };
}

test('any picture is the same alone as within the whole set, whatever the number of threads', async () => {
  const one = await syntheticDigits({ seed: 7, train: 2500, test: 1200, threads: 1 });
  const three = await syntheticDigits({ seed: 7, train: 2500, test: 1200, threads: 3 });
  for (const split of ['train', 'test'] as const) {
    expect(Buffer.compare(three[split].images, one[split].images)).toBe(0);
    expect(Buffer.compare(three[split].labels, one[split].labels)).toBe(0);
  }
  for (const index of [0, 999, 1000, 2499]) {
    const { label, pixels } = draw(7, index);
    expect(one.train.labels[index]).toBe(label);
    expect(one.train.images.subarray(index * PICTURE, (index + 1) * PICTURE)).toEqual(pixels);
  }
  expect([one.train.count, one.train.height, one.train.width, one.test.count]).toEqual([2500, SIDE, SIDE, 1200]);
});

test('seeds and splits differ, in their upper bits too', async () => {
  const sets = await Promise.all(
    [0, 1, 2 ** 32, 2 ** 53 - 1].map((seed) => syntheticDigits({ seed, train: 20, test: 20 })),
  );
  const seen = new Set(sets.flatMap(({ train, test }) => [train, test]).map(({ images }) => images.join()));
  expect(seen.size).toBe(8);
});

test('every block of ten labels holds each digit once, in varying order', () => {
  const orders = new Set<string>();
  for (let block = 0; block < 50; block++) {
    const labels = Array.from({ length: 10 }, (_, i) => digitLabel(3, 'test', 10 * block + i));
    expect([...labels].sort().join('')).toBe('0123456789');
    orders.add(labels.join(''));
  }
  expect(orders.size).toBe(50);
});

test('pictures are inked, centred by mass, and inside the frame', () => {
  for (let index = 0; index < 500; index++) {
    const { pixels } = draw(1, index);
    let [mass, x, y, brightest] = [0, 0, 0, 0];
    for (let row = 0; row < SIDE; row++) {
      for (let column = 0; column < SIDE; column++) {
        const value = pixels[row * SIDE + column];
        mass += value;
        x += value * (column + 0.5);
        y += value * (row + 0.5);
        brightest = Math.max(brightest, value);
      }
    }
    expect(brightest).toBeGreaterThan(150);
    expect(mass / 255).toBeGreaterThan(20);
    expect(mass / 255).toBeLessThan(SIDE * SIDE * 0.5);
    expect(Math.abs(x / mass - SIDE / 2)).toBeLessThan(4);
    expect(Math.abs(y / mass - SIDE / 2)).toBeLessThan(4);
    const edge = [...pixels.subarray(0, SIDE), ...pixels.subarray(PICTURE - SIDE)];
    expect(Math.max(...edge)).toBeLessThan(40); // at most the soft edge of a line, so no line is cut off
  }
});

test('the brightness is about that of MNIST: mean 0.13, deviation 0.31', async () => {
  const { train } = await syntheticDigits({ train: 2000, test: 0 });
  const values = Float64Array.from(train.images, (value) => value / 255);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  expect(mean).toBeGreaterThan(0.11);
  expect(mean).toBeLessThan(0.16);
  expect(deviation).toBeGreaterThan(0.27);
  expect(deviation).toBeLessThan(0.34);
});

test('digits of one class look more like each other than like the others', async () => {
  // Nearest class mean: far above the 10 % of chance when pictures show their labels, below 100 % when they vary.
  const { train, test } = await syntheticDigits({ train: 4000, test: 1000 });
  const means = Array.from({ length: 10 }, () => new Float64Array(PICTURE));
  train.labels.forEach((label, i) => {
    for (let p = 0; p < PICTURE; p++) means[label][p] += train.images[i * PICTURE + p] / (train.count / 10);
  });
  let right = 0;
  test.labels.forEach((label, i) => {
    const distances = means.map((mean) => {
      let sum = 0;
      for (let p = 0; p < PICTURE; p++) sum += (mean[p] - test.images[i * PICTURE + p]) ** 2;
      return sum;
    });
    if (distances.indexOf(Math.min(...distances)) === label) right++;
  });
  expect(right / test.count).toBeGreaterThan(0.6);
  expect(right / test.count).toBeLessThan(0.95);
});

test('no pictures at all', async () => {
  const { train, test } = await syntheticDigits({ train: 0, test: 0 });
  expect([train.images.length, train.count, test.labels.length]).toEqual([0, 0, 0]);
});

test.each([
  [{ seed: -1 }, 'seed must be a whole number of 0 or more: -1'],
  [{ seed: 0.5 }, 'seed must be a whole number of 0 or more: 0.5'],
  [{ seed: 2 ** 53 }, 'seed must be a whole number of 0 or more: 9007199254740992'],
  [{ train: -1 }, 'train must be a whole number from 0 to 5000000: -1'],
  [{ test: 1e9 }, 'test must be a whole number from 0 to 5000000: 1000000000'],
  [{ train: Number.NaN }, 'train must be a whole number from 0 to 5000000: NaN'],
  [{ threads: 0 }, 'threads must be a whole number from 1 to 1024: 0'],
])('%j is refused', async (options, message) => {
  await expect(syntheticDigits(options)).rejects.toThrow(`syntheticDigits: ${message}`);
});

test('every digit has several styles, every outline is readable and inside its box', () => {
  expect(digitStyles.length).toBe(10);
  for (const styles of digitStyles) {
    expect(styles.length).toBeGreaterThanOrEqual(4);
    for (const { path, weight } of styles) {
      expect(weight).toBeGreaterThan(0);
      for (const { numbers } of parseOutline(path)) {
        for (const value of numbers) expect(Math.abs(value - 0.5)).toBeLessThanOrEqual(0.65);
      }
    }
  }
  expect(() => parseOutline('M0 0A1 1')).toThrow(/not an M, L, Q or C/);
  expect(() => parseOutline('M0 0L1')).toThrow(/not an M, L, Q or C/);
  expect(() => parseOutline('L0 0')).toThrow(/starts with M/);
});

test('the random stream is uniform, about normal, and differs between neighbours', () => {
  const firsts = Array.from({ length: 20_000 }, (_, i) => new Sfc32(0, 0, i).uniform());
  expect(Math.abs(firsts.reduce((sum, value) => sum + value) / firsts.length - 0.5)).toBeLessThan(0.01);
  const buckets = new Array<number>(10).fill(0);
  for (const value of firsts) buckets[Math.floor(value * 10)]++;
  for (const count of buckets) expect(Math.abs(count - 2000)).toBeLessThan(250);
  const random = new Sfc32(5, 1, 2);
  const normals = Array.from({ length: 20_000 }, () => random.normal(2));
  const square = normals.reduce((sum, value) => sum + value * value, 0) / normals.length;
  expect(Math.abs(Math.sqrt(square) - 2)).toBeLessThan(0.05);
});
