import {
  DataLoader,
  type ImageSplits,
  type LabelledImages,
  loadMnist,
  mnistPlaces,
  syntheticDigits,
  TensorDataset,
  tensor,
} from 'athanor';
import type { Options } from './options.js';

/** Mean and deviation of MNIST's training pixels, from 0 to 1; the synthetic digits' are close. */
const MEAN = 0.1307;
const DEVIATION = 0.3081;

/** Test digits that are judged at a time. */
const TEST_BATCH = 500;

/** The digits to learn from and to judge by. */
export interface Digits extends ImageSplits {
  readonly source: 'mnist' | 'synthetic';
  /** What to tell the user about them, one line each. */
  readonly notes: readonly string[];
}

const counts = ({ train, test }: ImageSplits) =>
  `${train.count.toLocaleString('en')} training and ${test.count.toLocaleString('en')} test digits`;

/** MNIST where it is found, synthetic digits elsewhere. A folder that was asked for by name must hold MNIST. */
export async function loadDigits(options: Options): Promise<Digits> {
  const places = mnistPlaces({ data: options.data });
  const found = places.find(({ missing }) => missing.length === 0);
  if (options.data !== undefined || found !== undefined) {
    const mnist = await loadMnist({ data: options.data });
    const from = found === undefined ? '' : ` from ${found.folder}`;
    return { ...mnist, source: 'mnist', notes: [`MNIST${from}: ${counts(mnist)}`] };
  }
  const synthetic = await syntheticDigits({ seed: options.seed });
  return {
    ...synthetic,
    source: 'synthetic',
    notes: [
      `SYNTHETIC digits, drawn by this program: ${counts(synthetic)}.`,
      `  MNIST was not found in ${places.map(({ folder }) => folder).join(' or ')}.`,
      '  To train on the real digits: npx athanor data mnist   (downloads 11 MB), then npm start again.',
    ],
  };
}

function datasetOf({ images, labels, height, width }: LabelledImages, count: number): TensorDataset {
  const pixels = images.subarray(0, count * height * width);
  return new TensorDataset(tensor(pixels, { shape: [count, 1, height, width] }), tensor(labels.subarray(0, count)));
}

/** Loaders of the training digits, shuffled, and of the test digits in order; pixels become floats of mean 0 beside training. */
export function makeLoaders({ train, test }: ImageSplits, options: Options): { train: DataLoader; test: DataLoader } {
  const count = Math.min(train.count, options.limit ?? train.count);
  const transform = ([images, labels]: ReturnType<TensorDataset['batch']>) => [
    images
      .cast('float32')
      .mul(1 / (255 * DEVIATION))
      .sub(MEAN / DEVIATION),
    labels.cast('int32'),
  ];
  return {
    train: new DataLoader(datasetOf(train, count), {
      batchSize: Math.min(options.batchSize, count),
      shuffle: true,
      seed: options.seed,
      dropLast: true,
      transform,
    }),
    test: new DataLoader(datasetOf(test, test.count), { batchSize: TEST_BATCH, transform }),
  };
}
