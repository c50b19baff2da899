/** A file to download, with what proves that it arrived whole. */
export interface RemoteFile {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** A data set that can be downloaded. */
export interface RemoteDataset {
  /** What it is, in a few words. */
  readonly title: string;
  /** Addresses that serve the files, best first, each ending in a slash. */
  readonly mirrors: readonly string[];
  readonly files: readonly RemoteFile[];
}

/** The data sets that `athanor data` knows, by name. */
export const remoteDatasets: Readonly<Record<string, RemoteDataset>> = {
  mnist: {
    title: 'handwritten digits, 60,000 + 10,000 grey pictures of 28x28',
    mirrors: ['https://ossci-datasets.s3.amazonaws.com/mnist/', 'https://storage.googleapis.com/cvdf-datasets/mnist/'],
    files: [
      {
        name: 'train-images-idx3-ubyte.gz',
        size: 9_912_422,
        sha256: '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609',
      },
      {
        name: 'train-labels-idx1-ubyte.gz',
        size: 28_881,
        sha256: '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c',
      },
      {
        name: 't10k-images-idx3-ubyte.gz',
        size: 1_648_877,
        sha256: '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6',
      },
      {
        name: 't10k-labels-idx1-ubyte.gz',
        size: 4_542,
        sha256: 'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6',
      },
    ],
  },
};
