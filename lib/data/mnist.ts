import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '../errors.js';
import { type IdxArray, readIdx } from '../io/idx.js';
import { checkOptions } from '../options.js';
import type { ImageSplits, LabelledImages } from './images.js';
import { dataFolders } from './places.js';

const CLASSES = 10;
const FILES = {
  train: { images: 'train-images-idx3-ubyte', labels: 'train-labels-idx1-ubyte' },
  test: { images: 't10k-images-idx3-ubyte', labels: 't10k-labels-idx1-ubyte' },
};
const NAMES = Object.values(FILES).flatMap(({ images, labels }) => [images, labels]);

/** Where to look for MNIST. */
export interface MnistOptions {
  /** A folder with the four files, gzipped or not; then no other place is looked at. */
  data?: string;
}

/** One of the folders looked at, and which of the four files it lacks. */
export interface MnistPlace {
  readonly folder: string;
  readonly missing: readonly string[];
}

/** The file under its canonical name, or unpacked, or undefined. */
function locate(folder: string, name: string): string | undefined {
  return [join(folder, `${name}.gz`), join(folder, name)].find((path) => existsSync(path));
}

/**
 * The folders in which MNIST is looked for, in order, with what each lacks: `options.data` (or its sub-folder mnist), else
 * `$ATHANOR_DATA/mnist`, then the user's cache, `$XDG_CACHE_HOME/athanor/mnist` or `~/.cache/athanor/mnist`.
 */
export function mnistPlaces(options: MnistOptions = {}): MnistPlace[] {
  checkOptions('mnistPlaces', options, ['data']);
  return dataFolders('mnist', options.data).map((folder) => ({
    folder,
    missing: NAMES.filter((name) => locate(folder, name) === undefined).map((name) => `${name}.gz`),
  }));
}

/** One line on a place that was looked at. */
export function describePlace({ folder, missing }: MnistPlace): string {
  if (missing.length === 0) return folder;
  return `${folder} (${existsSync(folder) ? `lacks ${missing.join(', ')}` : 'no such folder'})`;
}

function check(condition: boolean, path: string, wrong: string): asserts condition {
  if (!condition) fail('loadMnist', `${path}: ${wrong}`);
}

const described = ({ dtype, shape }: IdxArray) => `${dtype} [${shape.join(', ')}]`;

async function loadSplit(folder: string, files: { images: string; labels: string }): Promise<LabelledImages> {
  const imagesPath = locate(folder, files.images)!;
  const labelsPath = locate(folder, files.labels)!;
  const [images, labels] = await Promise.all([readIdx(imagesPath), readIdx(labelsPath)]);
  check(
    images.dtype === 'uint8' && images.shape.length === 3,
    imagesPath,
    `images must be uint8 with 3 dimensions: got ${described(images)}`,
  );
  check(
    labels.dtype === 'uint8' && labels.shape.length === 1,
    labelsPath,
    `labels must be uint8 with 1 dimension: got ${described(labels)}`,
  );
  const [count, height, width] = images.shape;
  check(
    labels.shape[0] === count,
    labelsPath,
    `as many labels as images are needed: got ${labels.shape[0]} labels, ${count} images`,
  );
  const wrong = labels.data.findIndex((label) => label >= CLASSES);
  check(wrong < 0, labelsPath, `labels must be 0 to ${CLASSES - 1}: label ${wrong} is ${labels.data[wrong]}`);
  return { images: images.data, labels: labels.data, count, height, width };
}

/**
 * Loads MNIST (LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998), or any
 * data set in the same four files, such as Fashion-MNIST.
 *
 * @returns train `images` (60,000 x 28 x 28) and `labels` (60,000), and the same for test (10,000), as bytes
 * @throws AthanorError when the files are not found (it says where it looked), broken, or do not belong together
 */
export async function loadMnist(options: MnistOptions = {}): Promise<ImageSplits> {
  checkOptions('loadMnist', options, ['data']);
  const places = mnistPlaces(options);
  const found = places.find(({ missing }) => missing.length === 0);
  if (found === undefined) {
    const looked = places.map((place) => `\n  ${describePlace(place)}`).join('');
    fail('loadMnist', 'MNIST was not found', `looked in${looked}\nTo download it: npx athanor data mnist`);
  }
  const [train, test] = await Promise.all([loadSplit(found.folder, FILES.train), loadSplit(found.folder, FILES.test)]);
  const size = ({ height, width }: LabelledImages) => `${height}x${width}`;
  check(size(train) === size(test), found.folder, `train images are ${size(train)}, test images ${size(test)}`);
  return { train, test };
}
