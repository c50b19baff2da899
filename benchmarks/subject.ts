// athanor's side of a case or a job: made ready, run once for its result and its cost, then timed.
import * as athanor from 'athanor';
import type { Case, Input } from './case.js';
import { type Elements, elementsOf, stepOf } from './data.js';
import { type Call, callsOf } from './engine.js';
import type { Job, JobRun } from './jobs/job.js';
import type { Runner } from './timer.js';
import { workOf } from './works.js';

type Tensor = athanor.Tensor;

/** Something of athanor's that can be timed, and what it costs by the rows' own count. */
export interface Subject {
  readonly runner: Runner;
  readonly flops: number;
  readonly bytes: number;
  /** The native calls of one run. */
  readonly calls: readonly Call[];
  readonly rows: readonly string[];
  /** What peers must compute too: every so manieth element of the result, or the losses of the first steps. */
  readonly result: ArrayLike<number>;
  /** Shape of the result. */
  readonly shape: readonly number[];
}

/** Steps of a training job whose losses are compared. */
export const comparedSteps = 3;

function tensorOf(input: Input, elements: Elements): Tensor {
  const { shape, dtype, channelsLast } = input;
  const flat = athanor.tensor(elements as never);
  const typed = dtype === 'bool' || dtype === 'bfloat16' ? flat.cast(dtype) : flat;
  if (channelsLast)
    return typed
      .reshape([...shape])
      .permute([0, 2, 3, 1])
      .contiguous()
      .permute([0, 3, 1, 2]);
  if (!input.transposed) return typed.reshape([...shape]);
  const stored = [...shape.slice(0, -2), shape[shape.length - 1], shape[shape.length - 2]];
  return typed.reshape(stored).transpose();
}

function sampled(t: Tensor): Float64Array {
  const all = t.dataSync();
  const step = stepOf(all.length);
  const out = new Float64Array(Math.ceil(all.length / step));
  for (let i = 0; i < out.length; i++) out[i] = Number(all[i * step]);
  return out;
}

function runnerOf(work: () => void): Runner {
  return {
    name: 'athanor',
    run(calls) {
      athanor.synchronize();
      const start = performance.now();
      for (let i = 0; i < calls; i++) work();
      athanor.synchronize();
      return (performance.now() - start) / 1000;
    },
  };
}

function costOf(calls: readonly Call[]) {
  const total = (value: (call: Call) => number) => calls.reduce((n, call) => n + value(call), 0);
  return {
    flops: total((c) => c.flops),
    bytes: total((c) => c.bytes),
    calls,
    rows: [...new Set(calls.map((c) => c.row))],
  };
}

/** The gradient of a work: its backward calls are timed without the tape around them, as peers' are. */
function gradientSubject(c: Case, inputs: Tensor[]): Subject {
  const work = workOf(c);
  const which = c.gradient as number;
  const wanted = which === -1 ? inputs.filter((x) => x.isFloat) : [inputs[which]];
  for (const x of wanted) x.requiresGrad = true;
  const out = work(inputs);
  const like: Input = { shape: out.shape, dtype: out.dtype as Input['dtype'], channelsLast: c.inputs[0].channelsLast };
  const g = tensorOf(like, elementsOf({ shape: out.shape }, 99));
  const { result, calls } = callsOf(() => athanor.grad(out, wanted, { gradOutputs: [g] }), true);
  const gradients = result;
  for (const x of wanted) x.requiresGrad = false;
  const own = calls.filter((call) => call.backward);
  const again = () => {
    for (const call of own) call.again();
  };
  return { runner: runnerOf(again), ...costOf(own), result: sampled(gradients[0]), shape: gradients[0].shape };
}

/** What the first call of a work makes for the others, made again and again. */
function preparationSubject(c: Case, inputs: Tensor[]): Subject {
  const work = workOf(c);
  const { result, calls } = callsOf(() => work(inputs), true);
  const own = calls.filter((call) => call.opaque);
  const again = () => {
    for (const call of own) call.again();
  };
  return { runner: runnerOf(again), ...costOf(own), result: sampled(result), shape: result.shape };
}

/** A case made ready. */
export function subjectOf(c: Case): Subject {
  athanor.manualSeed(0);
  const inputs = c.inputs.map((input, i) => tensorOf(input, elementsOf(input, i)));
  if (c.gradient !== undefined) return gradientSubject(c, inputs);
  if (c.preparation) return preparationSubject(c, inputs);
  const work = workOf(c);
  if (c.prepares) work(inputs).dispose();
  const { result, calls } = callsOf(() => work(inputs));
  const values = sampled(result);
  const { shape } = result;
  if (!inputs.includes(result)) result.dispose();
  const run = () => {
    const out = work(inputs);
    if (!inputs.includes(out)) out.dispose();
  };
  return { runner: runnerOf(run), ...costOf(calls), result: values, shape };
}

/** A job made ready, and what its peers start from. */
export function jobSubject(job: Job): Subject & { readonly run: JobRun; readonly state: Record<string, Tensor> } {
  const run = job.build();
  // The state as it is before the first step: stateDict() shares memory with the model.
  const state = Object.fromEntries(Object.entries(run.model.stateDict()).map(([name, t]) => [name, t.clone()]));
  const steps = job.kind === 'train' ? comparedSteps : 1;
  let cost = costOf([]);
  const values: number[] = [];
  for (let i = 0; i < steps; i++) {
    const { result, calls } = callsOf(() => run.run());
    values.push(...sampled(result));
    cost = costOf(calls);
    result.dispose();
  }
  return {
    runner: runnerOf(() => run.run().dispose()),
    ...cost,
    flops: job.flops,
    result: values,
    shape: [],
    run,
    state,
  };
}
