// What is measured, as data: each case is run by athanor and by every peer from this one description.

/** One measurement. Shapes are N C H W for images; FLOPs and bytes are of one call. */
export interface Case {
  readonly group: 'gemm' | 'conv' | 'elementwise' | 'reduce' | 'overhead' | 'train';
  readonly name: string;
  /** What runs: the op's name, or a training job's. */
  readonly work: string;
  /** Shapes of the inputs of an op. */
  readonly shapes?: readonly (readonly number[])[];
  /** Options of an op, as its function takes them. */
  readonly options?: Readonly<Record<string, number>>;
  /** Batch size of a job. */
  readonly batch?: number;
  readonly flops?: number;
  readonly bytes?: number;
  /** Left out of a quick run. */
  readonly slow?: boolean;
}

function gemm(m: number, n: number, k: number): Case {
  return {
    group: 'gemm',
    name: `matmul ${m}x${n}x${k}`,
    work: 'matmul',
    shapes: [
      [m, k],
      [k, n],
    ],
    flops: 2 * m * n * k,
    bytes: 4 * (m * k + k * n + m * n),
    slow: m * n * k > 1024 ** 3,
  };
}

function conv(batch: number, channels: number, size: number, out: number, kernel: number, padding: number): Case {
  const outSize = size + 2 * padding - kernel + 1;
  return {
    group: 'conv',
    name: `conv2d ${batch}x${channels}x${size}x${size} to ${out}, ${kernel}x${kernel}`,
    work: 'conv2d',
    shapes: [
      [batch, channels, size, size],
      [out, channels, kernel, kernel],
    ],
    options: { padding },
    flops: 2 * batch * out * outSize * outSize * channels * kernel * kernel,
    bytes: 4 * (batch * channels * size * size + out * channels * kernel * kernel + batch * out * outSize * outSize),
    slow: batch * channels * size * size > 4e6,
  };
}

function stream(group: 'elementwise' | 'reduce', work: string, inputs: number, size: number): Case {
  return {
    group,
    name: `${work} ${size}`,
    work,
    shapes: Array.from({ length: inputs }, () => [size]),
    bytes: 4 * size * (inputs + (group === 'elementwise' ? 1 : 0)),
    slow: size > 4e6,
  };
}

const large = 1 << 24;
const middle = 1 << 20;

/** All cases. */
export const cases: readonly Case[] = [
  ...[64, 256, 512, 1024, 2048].map((n) => gemm(n, n, n)),
  gemm(32, 1024, 1024),
  gemm(1, 1024, 1024),
  gemm(128, 512, 784),
  conv(64, 64, 56, 64, 3, 1),
  conv(64, 128, 28, 128, 3, 1),
  conv(128, 1, 28, 6, 5, 2),
  conv(128, 6, 14, 16, 5, 0),
  ...[middle, large].flatMap((size) => [
    stream('elementwise', 'add', 2, size),
    ...['exp', 'tanh', 'sigmoid', 'gelu', 'relu'].map((work) => stream('elementwise', work, 1, size)),
    stream('reduce', 'sum', 1, size),
  ]),
  { group: 'reduce', name: 'softmax 4096x1000', work: 'softmax', shapes: [[4096, 1000]], bytes: 2 * 4 * 4096 * 1000 },
  { group: 'overhead', name: 'add 16', work: 'add', shapes: [[16], [16]], bytes: 3 * 64 },
  { group: 'train', name: 'MLP 2-16-2, batch 32, SGD', work: 'tiny', batch: 32 },
  { group: 'train', name: 'MLP 784-512-512-10, batch 128, Adam', work: 'mlp', batch: 128, flops: 0.51e9 },
  { group: 'train', name: 'LeNet-5, batch 128, SGD momentum', work: 'lenet5', batch: 128 },
];
