// The cases and jobs that ONNX has operators for, as graphs.
import type { Case } from '../case.js';
import { elementsOf } from '../data.js';
import type { Constant, OnnxGraph, OnnxNode } from './onnx.js';
import type { Stored } from './safetensors.js';

type Options = NonNullable<Case['options']>;
type Attributes = Pick<OnnxNode, 'ints' | 'floats' | 'strings'>;

const square = (value: unknown, fallback: number) => {
  const n = (value as number | undefined) ?? fallback;
  return [n, n];
};

function convolution(o: Options, kernel: readonly number[]): Attributes {
  const p = (o.padding as number | undefined) ?? 0;
  return {
    ints: {
      kernel_shape: kernel,
      strides: square(o.stride, 1),
      dilations: square(o.dilation, 1),
      pads: [p, p, p, p],
      group: (o.groups as number | undefined) ?? 1,
    },
  };
}

function pooling(o: Options): Attributes {
  const p = (o.padding as number | undefined) ?? 0;
  return { ints: { kernel_shape: square(o.kernel, 2), strides: square(o.stride, 1), pads: [p, p, p, p] } };
}

const axis = (o: Options): Attributes => ({ ints: { axis: (o.axis as number | undefined) ?? -1 } });

/** Works that are one operator: its name, and its attributes. */
const operators: Readonly<Record<string, readonly [op: string, attributes?: (o: Options, c: Case) => Attributes]>> = {
  matmul: ['MatMul'],
  linear: ['Gemm', () => ({ ints: { transB: 1 } })],
  conv2dPrepared: ['Conv', (o, c) => convolution(o, c.inputs[1].shape.slice(2))],
  linearPrepared: ['Gemm', () => ({ ints: { transB: 1 } })],
  conv2d: ['Conv', (o, c) => convolution(o, c.inputs[1].shape.slice(2))],
  convTranspose2d: ['ConvTranspose', (o) => ({ ints: { strides: square(o.stride, 1) } })],
  add: ['Add'],
  sub: ['Sub'],
  mul: ['Mul'],
  div: ['Div'],
  exp: ['Exp'],
  log: ['Log'],
  sqrt: ['Sqrt'],
  abs: ['Abs'],
  neg: ['Neg'],
  sin: ['Sin'],
  cos: ['Cos'],
  erf: ['Erf'],
  relu: ['Relu'],
  sigmoid: ['Sigmoid'],
  tanh: ['Tanh'],
  softplus: ['Softplus'],
  gelu: ['Gelu'],
  geluTanh: ['Gelu', () => ({ strings: { approximate: 'tanh' } })],
  softmax: ['Softmax', axis],
  logSoftmax: ['LogSoftmax', axis],
  layerNorm: ['LayerNormalization', () => ({ ints: { axis: -1 }, floats: { epsilon: 1e-5 } })],
  maxPool2d: ['MaxPool', pooling],
  avgPool2d: ['AveragePool', pooling],
};

/** Inputs from this index on are weights, which belong to the model: a runtime may lay them out as it likes. */
const weightsFrom: Readonly<Record<string, number>> = {
  conv2d: 1,
  conv2dPrepared: 1,
  convTranspose2d: 1,
  linear: 1,
  linearPrepared: 1,
  layerNorm: 1,
};
/** Works whose operator a relu follows. */
const withRelu = new Set(['conv2dPrepared', 'linearPrepared']);

/** Whether a case has a graph. */
export function hasGraph(c: Case): boolean {
  const plain = c.gradient === undefined && c.inputs.every((i) => i.transposed !== true && i.dtype === undefined);
  const whole = c.work === 'sum' && c.options === undefined;
  return plain && (whole || c.work in operators);
}

/** A case as a graph. */
export function caseGraph(c: Case): OnnxGraph {
  const names = c.inputs.map((_, i) => `x${i}`);
  const from = weightsFrom[c.work] ?? c.inputs.length;
  const constants = c.inputs.slice(from).map((input, i) => ({
    name: names[from + i],
    shape: input.shape,
    data: elementsOf(input, from + i),
  }));
  const outputs = [{ name: 'y' }];
  const inputs = c.inputs.slice(0, from).map((input, i) => ({ name: names[i], shape: input.shape }));
  if (c.work === 'sum') {
    const node = { op: 'ReduceSum', inputs: names, outputs: ['y'], ints: { keepdims: 0 } };
    return { nodes: [node], inputs, outputs };
  }
  const [op, attributesOf] = operators[c.work];
  const relu = withRelu.has(c.work);
  const node: OnnxNode = { op, inputs: names, outputs: [relu ? 'sum' : 'y'], ...attributesOf?.(c.options ?? {}, c) };
  const nodes = relu ? [node, { op: 'Relu', inputs: ['sum'], outputs: ['y'] }] : [node];
  return { nodes, inputs, outputs, constants };
}

/** Builds a graph layer by layer; each call returns the name of what it made. */
class Builder {
  readonly nodes: OnnxNode[] = [];
  readonly constants: Constant[];

  constructor(private readonly state: Readonly<Record<string, Stored>>) {
    this.constants = Object.entries(state)
      .filter(([, { data }]) => data instanceof Float32Array)
      .map(([name, { shape, data }]) => ({ name, shape, data }));
  }

  node(op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const out = `t${this.nodes.length}`;
    this.nodes.push({ op, inputs, outputs: [out], ...attributes });
    return out;
  }

  conv(x: string, name: string, stride: number, padding: number): string {
    const { shape } = this.state[`${name}.weight`];
    return this.node('Conv', [x, `${name}.weight`], convolution({ stride, padding }, shape.slice(2)));
  }

  norm(x: string, name: string): string {
    const names = ['weight', 'bias', 'running_mean', 'running_var'].map((part) => `${name}.${part}`);
    return this.node('BatchNormalization', [x, ...names], { floats: { epsilon: 1e-5 } });
  }

  relu(x: string): string {
    return this.node('Relu', [x]);
  }

  linear(x: string, name: string): string {
    return this.node('Gemm', [x, `${name}.weight`, `${name}.bias`], { ints: { transB: 1 } });
  }
}

function resnet18(b: Builder): string {
  let x = b.relu(b.norm(b.conv('x', 'conv1', 2, 3), 'bn1'));
  x = b.node('MaxPool', [x], pooling({ kernel: 3, stride: 2, padding: 1 }));
  for (let layer = 1; layer <= 4; layer++) {
    for (let block = 0; block < 2; block++) {
      const name = `layer${layer}.${block}`;
      const stride = layer > 1 && block === 0 ? 2 : 1;
      const first = b.relu(b.norm(b.conv(x, `${name}.conv1`, stride, 1), `${name}.bn1`));
      const second = b.norm(b.conv(first, `${name}.conv2`, 1, 1), `${name}.bn2`);
      const down = `${name}.downsample`;
      const shortcut = stride === 1 ? x : b.norm(b.conv(x, `${down}.0`, stride, 0), `${down}.1`);
      x = b.relu(b.node('Add', [second, shortcut]));
    }
  }
  return b.linear(b.node('Flatten', [b.node('GlobalAveragePool', [x])], { ints: { axis: 1 } }), 'fc');
}

function mlp1(b: Builder): string {
  return b.linear(b.relu(b.linear(b.relu(b.linear('x', '0')), '2')), '4');
}

const models: Readonly<Record<string, (b: Builder) => string>> = { resnet18, mlp1 };

/** The works of inference jobs that have a graph. */
export const modelWorks: readonly string[] = Object.keys(models);

/** An inference job as a graph over its input x. */
export function jobGraph(work: string, state: Readonly<Record<string, Stored>>, shape: readonly number[]): OnnxGraph {
  const builder = new Builder(state);
  const out = models[work](builder);
  const used = new Set(builder.nodes.flatMap(({ inputs }) => inputs));
  return {
    nodes: builder.nodes,
    constants: builder.constants.filter(({ name }) => used.has(name)),
    inputs: [{ name: 'x', shape }],
    outputs: [{ name: out }],
  };
}
