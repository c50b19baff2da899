// TensorFlow.js's side of the benchmarks, on the backend that the first argument names.
import * as path from 'node:path';
import type { Case } from '../case.js';
import { elementsOf } from '../data.js';
import { packageFolder, packageVersion, requirePackage } from './packages.js';
import type { JobRequest } from './peer.js';
import { readSafetensors, type Stored } from './safetensors.js';
import { type PrepareRequest, type Ready, sampled, serve, Unsupported } from './serve.js';

/** What is used of the package. */
interface T {
  dataSync(): ArrayLike<number>;
  dispose(): void;
}
interface Optimizer {
  minimize(loss: () => T, returnCost: true): T;
}
type Op = (...args: unknown[]) => T;
interface Core extends Record<string, unknown> {
  tidy(fn: () => T): T;
  tensor(data: unknown, shape: readonly number[], dtype?: string): T;
  variable(t: T): T;
  readonly train: { sgd(lr: number): Optimizer; adam(lr: number): Optimizer };
  readonly losses: { softmaxCrossEntropy(labels: T, logits: T): T };
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
}

const backend = process.argv[2];
const tf = requirePackage('@tensorflow/tfjs') as Core;
const op = (name: string) => tf[name] as Op;

async function hello(threads: number): Promise<string> {
  if (backend === 'wasm') {
    const wasm = requirePackage('@tensorflow/tfjs-backend-wasm') as {
      setWasmPaths(folder: string): void;
      setThreadsCount(n: number): void;
      getThreadsCount(): number;
    };
    wasm.setWasmPaths(path.join(packageFolder, 'node_modules', '@tensorflow', 'tfjs-backend-wasm', 'dist', path.sep));
    wasm.setThreadsCount(threads);
  }
  if (!(await tf.setBackend(backend))) throw new Error(`the ${backend} backend does not start here`);
  await tf.ready();
  return packageVersion('@tensorflow/tfjs') ?? 'unknown';
}

// What is ready to be called. No collector frees it: it is disposed of before the next case, or memory would run out.
let made: T[] = [];

/** A tensor that lives as long as the case. */
function held(t: T): T {
  made.push(t);
  return t;
}

/** The elements of a result that are compared. */
function resultOf(t: T): Float64Array {
  const values = sampled(t.dataSync());
  t.dispose();
  return values;
}

/** Images as TensorFlow.js lays them out: batch, height, width, channels. */
function channelsLast(t: T): T {
  return op('transpose')(t, [0, 2, 3, 1]);
}

function caseOf(c: Case): Ready {
  const o = c.options ?? {};
  const inputs = c.inputs.map((input, i) => {
    if (!input.transposed) return held(tf.tensor(elementsOf(input, i), input.shape, 'float32'));
    const stored = [
      ...input.shape.slice(0, -2),
      input.shape[input.shape.length - 1],
      input.shape[input.shape.length - 2],
    ];
    return held(tf.tensor(elementsOf(input, i), stored, 'float32'));
  });
  if (c.work === 'conv2d') {
    if (o.groups !== 1) throw new Unsupported('no grouped convolution');
    const x = held(channelsLast(inputs[0]));
    const weight = held(op('transpose')(inputs[1], [2, 3, 1, 0]));
    const product = () => op('conv2d')(x, weight, o.stride, o.padding, 'NHWC', o.dilation);
    const call = () => (inputs.length > 2 ? op('add')(product(), inputs[2]) : product());
    return {
      result: resultOf(tf.tidy(() => op('transpose')(call(), [0, 3, 1, 2]))),
      call: () => tf.tidy(call).dispose(),
    };
  }
  const rest = c.work === 'matmul' ? c.inputs.map((input) => input.transposed === true) : [];
  const axis = o.axis === undefined ? [] : [o.axis];
  const name = c.work === 'matmul' ? 'matMul' : c.work;
  const call = () => op(name)(...inputs, ...rest, ...axis);
  return { result: resultOf(tf.tidy(call)), call: () => tf.tidy(call).dispose() };
}

/** Layers of the perceptrons: weights lie as PyTorch has them, [outputs, inputs]. */
function perceptron(state: Readonly<Record<string, T>>, activation: string): (x: T) => T {
  const last = Math.max(...Object.keys(state).map((name) => Number(name.split('.')[0])));
  return (input) => {
    let x = input;
    for (let i = 0; i <= last; i += 2) {
      x = op('add')(op('matMul')(x, state[`${i}.weight`], false, true), state[`${i}.bias`]);
      if (i < last) x = op(activation)(x);
    }
    return x;
  };
}

const activations: Readonly<Record<string, string>> = { tiny: 'tanh', mlp: 'relu', mlp1: 'relu' };
const optimizers: Readonly<Record<string, () => Optimizer>> = {
  tiny: () => tf.train.sgd(0.01),
  mlp: () => tf.train.adam(0.001),
};

function jobOf(job: JobRequest): Ready {
  const load = ({ data, shape }: Stored) =>
    held(tf.tensor(data, shape, data instanceof Int32Array ? 'int32' : 'float32'));
  const state = Object.entries(readSafetensors(job.state)).map(
    ([name, t]) => [name, held(tf.variable(load(t)))] as const,
  );
  const forward = perceptron(Object.fromEntries(state), activations[job.work]);
  const { x, target } = readSafetensors(job.inputs);
  const input = load(x);
  if (job.kind === 'infer') {
    const call = () => forward(input);
    return { result: resultOf(tf.tidy(call)), call: () => tf.tidy(call).dispose() };
  }
  const classes = job.work === 'tiny' ? 2 : 10;
  const labels = op('oneHot')(load(target), classes);
  const optimizer = optimizers[job.work]();
  const step = () => optimizer.minimize(() => tf.losses.softmaxCrossEntropy(labels, forward(input)), true);
  const losses = Array.from({ length: job.steps }, () => Number(step().dataSync()[0]));
  return { result: losses, call: () => step().dispose() };
}

async function prepare({ case: c, job, fresh }: PrepareRequest): Promise<Ready> {
  if (fresh) {
    for (const t of made) t.dispose();
    made = [];
  }
  return job === undefined ? caseOf(c) : jobOf(job);
}

serve(hello, prepare);
