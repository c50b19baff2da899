// onnxruntime-node's side of the benchmarks.
import { elementsOf } from '../data.js';
import { type OnnxGraph, onnxModel } from './onnx.js';
import { caseGraph, jobGraph } from './onnx-cases.js';
import { packageVersion, requirePackage } from './packages.js';
import { readSafetensors } from './safetensors.js';
import { type PrepareRequest, type Ready, sampled, serve } from './serve.js';

/** What is used of the package. */
interface OrtTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}
interface OrtSession {
  readonly outputNames: readonly string[];
  run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}
interface Ort {
  readonly Tensor: new (type: string, data: Float32Array, dims: readonly number[]) => OrtTensor;
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<OrtSession> };
}

const ort = requirePackage('onnxruntime-node') as Ort;
let threads = 1;
let session: OrtSession | undefined;

async function ready(graph: OnnxGraph, inputs: readonly Float32Array[]): Promise<Ready> {
  await session?.release();
  session = await ort.InferenceSession.create(onnxModel(graph), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  });
  const current = session;
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name, shape }, i) => [name, new ort.Tensor('float32', inputs[i], shape as readonly number[])]),
  );
  const out = (await current.run(feeds))[current.outputNames[0]];
  return { result: sampled(out.data), call: () => current.run(feeds) };
}

async function prepare({ case: c, job }: PrepareRequest): Promise<Ready> {
  if (job !== undefined) {
    const { x } = readSafetensors(job.inputs);
    return ready(jobGraph(job.work, readSafetensors(job.state), x.shape), [x.data as Float32Array]);
  }
  const inputs = c.inputs.map((input, i) => elementsOf(input, i) as Float32Array);
  return ready(caseGraph(c), inputs);
}

serve(async (n) => {
  threads = n;
  return packageVersion('onnxruntime-node') ?? 'unknown';
}, prepare);
