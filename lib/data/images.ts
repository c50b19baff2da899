/** Labelled grey pictures of one size, as bytes: what the digit data sets hold. */
export interface LabelledImages {
  /** Pixels, picture after picture, rows from the top: `count * height * width` bytes, 0 is background. */
  readonly images: Uint8Array;
  /** The class of each picture, from 0. */
  readonly labels: Uint8Array;
  /** How many pictures there are. */
  readonly count: number;
  /** Rows of a picture. */
  readonly height: number;
  /** Columns of a picture. */
  readonly width: number;
}

/** A data set with the pictures to learn from and those to judge by. */
export interface ImageSplits {
  readonly train: LabelledImages;
  readonly test: LabelledImages;
}
