import { mkdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describePlace, loadMnist, mnistPlaces } from '../../lib/data/mnist.js';
import { cacheFolder, dataFolders, downloadFolder } from '../../lib/data/places.js';
import { temporaryFolder } from '../support/folder.js';
import { idxBytes } from '../support/idx.js';

const folder = temporaryFolder();
const NAMES = {
  trainImages: 'train-images-idx3-ubyte',
  trainLabels: 'train-labels-idx1-ubyte',
  testImages: 't10k-images-idx3-ubyte',
  testLabels: 't10k-labels-idx1-ubyte',
};
const good = {
  trainImages: idxBytes(8, [3, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
  trainLabels: idxBytes(8, [3], [0, 9, 4]),
  testImages: idxBytes(8, [1, 2, 2], [255, 0, 0, 1]),
  testLabels: idxBytes(8, [1], [7]),
};

/** Writes the four files, some of them replaced or left out, and returns their folder. */
function place(name: string, changes: Partial<Record<keyof typeof good, Buffer | undefined>> = {}, gz = true): string {
  rmSync(folder.path(name), { recursive: true, force: true });
  mkdirSync(folder.path(name), { recursive: true });
  for (const [key, bytes] of Object.entries({ ...good, ...changes })) {
    if (bytes === undefined) continue;
    const file = `${NAMES[key as keyof typeof NAMES]}${gz ? '.gz' : ''}`;
    folder.write(join(name, file), gz ? gzipSync(bytes) : bytes);
  }
  return folder.path(name);
}

const saved = { ...process.env };
afterEach(() => {
  process.env = { ...saved };
});

describe('where it looks', () => {
  test('the folder given, else ATHANOR_DATA, else the cache', () => {
    const environment = { ATHANOR_DATA: '/data', XDG_CACHE_HOME: '/cache' };
    expect(dataFolders('mnist', undefined, environment)).toEqual(['/data/mnist', '/cache/athanor/mnist']);
    expect(dataFolders('mnist', '/here', environment)).toEqual(['/here', '/here/mnist']);
    expect(downloadFolder('mnist', undefined, environment)).toBe('/data/mnist');
    expect(downloadFolder('mnist', undefined, { XDG_CACHE_HOME: '/cache' })).toBe('/cache/athanor/mnist');
    expect(downloadFolder('mnist', '/here', environment)).toBe('/here');
  });

  test('the cache folder: XDG_CACHE_HOME when absolute, else ~/.cache', () => {
    for (const environment of [{}, { XDG_CACHE_HOME: '' }, { XDG_CACHE_HOME: 'relative' }]) {
      expect(cacheFolder(environment)).toBe(join(homedir(), '.cache', 'athanor'));
    }
  });

  test('places say what they lack', () => {
    process.env.ATHANOR_DATA = folder.path('some');
    process.env.XDG_CACHE_HOME = folder.path('absent');
    place('some/mnist', { testLabels: undefined });
    const places = mnistPlaces();
    expect(places.map(({ missing }) => missing.length)).toEqual([1, 4]);
    expect(describePlace(places[0])).toBe(`${folder.path('some/mnist')} (lacks t10k-labels-idx1-ubyte.gz)`);
    expect(describePlace(places[1])).toBe(`${folder.path('absent/athanor/mnist')} (no such folder)`);
  });
});

describe('loading', () => {
  test.each([true, false])('the four files, gzipped: %s', async (gz) => {
    const { train, test: held } = await loadMnist({ data: place('good', {}, gz) });
    expect(train).toEqual({
      images: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
      labels: Uint8Array.of(0, 9, 4),
      count: 3,
      height: 2,
      width: 2,
    });
    expect([held.count, held.labels[0], held.images[0]]).toEqual([1, 7, 255]);
  });

  test('from ATHANOR_DATA before the cache, from a sub-folder mnist, and from the cache', async () => {
    process.env.ATHANOR_DATA = folder.path('shared');
    process.env.XDG_CACHE_HOME = folder.path('cache');
    place('shared/mnist', { testLabels: idxBytes(8, [1], [1]) });
    place('cache/athanor/mnist', { testLabels: idxBytes(8, [1], [2]) });
    expect((await loadMnist()).test.labels[0]).toBe(1);
    expect((await loadMnist({ data: folder.path('shared') })).test.labels[0]).toBe(1);
    place('shared/mnist', { testLabels: undefined });
    expect((await loadMnist()).test.labels[0]).toBe(2);
  });
});

describe('refusing', () => {
  const refusal = (changes: Parameters<typeof place>[1]) =>
    loadMnist({ data: place('bad', changes) }).then(
      () => 'accepted',
      (error: Error) => error.message.replace(folder.path('bad'), ''),
    );

  test('says everywhere it looked and how to download', async () => {
    const given = folder.path('nowhere');
    await expect(loadMnist({ data: given })).rejects.toThrow(
      `loadMnist: MNIST was not found: looked in\n  ${given} (no such folder)\n  ${join(given, 'mnist')} (no such folder)\n` +
        'To download it: npx athanor data mnist',
    );
  });

  test('files that do not belong together', async () => {
    expect(await refusal({ trainLabels: idxBytes(8, [2], [1, 2]) })).toBe(
      'loadMnist: /train-labels-idx1-ubyte.gz: as many labels as images are needed: got 2 labels, 3 images',
    );
    expect(await refusal({ testImages: idxBytes(8, [1, 1, 4], [0, 0, 0, 0]) })).toBe(
      'loadMnist: : train images are 2x2, test images 1x4',
    );
  });

  test('labels out of range', async () => {
    expect(await refusal({ trainLabels: idxBytes(8, [3], [0, 10, 1]) })).toBe(
      'loadMnist: /train-labels-idx1-ubyte.gz: labels must be 0 to 9: label 1 is 10',
    );
  });

  test('other shapes and element types', async () => {
    expect(await refusal({ trainImages: good.trainLabels })).toMatch(
      /images must be uint8 with 3 dimensions: got uint8 \[3\]/,
    );
    expect(await refusal({ testLabels: idxBytes(12, [1], [0, 0, 0, 1]) })).toMatch(/got int32 \[1\]/);
  });

  test('a broken file', async () => {
    expect(await refusal({ testImages: good.testImages.subarray(0, 18) })).toMatch(
      /^readIdx: \/t10k-images.*truncated/,
    );
  });
});
