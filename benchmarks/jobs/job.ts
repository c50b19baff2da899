// The end-to-end jobs: what one is, so that athanor and every peer run the same work.
import type * as athanor from 'athanor';

/** One training or inference job, as data. */
export interface Job {
  /** What it is called in tables: "train ResNet-20 CIFAR, batch 128, SGD momentum". */
  readonly name: string;
  /** The work's stem, the same in peers/torch_jobs.py. */
  readonly work: string;
  readonly kind: 'train' | 'infer';
  readonly batch: number;
  /** Heads of attention: the only size that a peer cannot read off the weights. */
  readonly heads?: number;
  /** Floating-point operations of one step, counted from the layers. */
  readonly flops: number;
  /** What a step works through where that is how its speed is told: images, tokens. */
  readonly items?: { readonly count: number; readonly unit: string };
  /** Of a size that a GPU needs to be busy: run there alone. */
  readonly gpu?: boolean;
  /** The same model in small, for a quick run. */
  readonly small?: Job;
  /** A fresh seeded model with its data. */
  build(): JobRun;
}

/** A job made ready to run. */
export interface JobRun {
  /** Its stateDict goes to the peers, under PyTorch's names. */
  readonly model: athanor.nn.Module;
  readonly inputs: Readonly<Record<string, athanor.Tensor>>;
  /** One training step (returns the loss) or one inference (returns the output); disposes of what it makes. */
  run(): athanor.Tensor;
}
