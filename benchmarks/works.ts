// athanor's side of each work: what is called, through the public functions alone.
import * as athanor from 'athanor';
import type { Case } from './case.js';

type Tensor = athanor.Tensor;
type Options = NonNullable<Case['options']>;
type Work = (inputs: Tensor[], options: Options) => Tensor;

const { Tensor: TensorClass } = athanor;
const pair = (value: unknown) => value as number;

function convOf(options: Options): athanor.ConvOptions {
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  return { stride: pair(stride), padding: pair(padding), dilation: pair(dilation), groups: pair(groups) };
}

// Layers prepared for inference, by the weight that they were made with: a case calls them again and again.
const prepared = new WeakMap<Tensor, athanor.nn.Conv2d | athanor.nn.Linear>();

/** The weight in a layer of its own, whose packed form is made by the first call. */
function layerOf<L extends athanor.nn.Conv2d | athanor.nn.Linear>(x: Tensor, weight: Tensor, make: () => L): L {
  let layer = prepared.get(weight);
  if (layer === undefined) {
    layer = make().eval();
    athanor.noGrad(() => layer?.weight.copy_(weight));
    athanor.nn.prepareInference(layer as athanor.nn.Module, x);
    prepared.set(weight, layer);
  }
  return layer as L;
}

function conv2dPrepared([x, weight, bias]: Tensor[], options: Options): Tensor {
  const [outputs, inputs, ...kernel] = weight.shape;
  const layer = layerOf(x, weight, () => {
    const { stride, padding } = convOf(options);
    const made = new athanor.nn.Conv2d(inputs, outputs, kernel as [number, number], { stride, padding });
    athanor.noGrad(() => made.bias?.copy_(bias));
    return Object.assign(made, { activation: 'relu' });
  });
  return athanor.noGrad(() => layer.forward(x));
}

function linearPrepared([x, weight, bias]: Tensor[]): Tensor {
  const layer = layerOf(x, weight, () => {
    const made = new athanor.nn.Linear(weight.shape[1], weight.shape[0], { activation: 'relu' });
    athanor.noGrad(() => made.bias?.copy_(bias));
    return made;
  });
  return athanor.noGrad(() => layer.forward(x));
}

/** Works that are not simply the public function of their name called on the inputs. */
const special: Readonly<Record<string, Work>> = {
  conv2d: ([x, weight, bias], options) => athanor.conv2d(x, weight, bias ?? null, convOf(options)),
  convTranspose2d: ([x, weight], options) => athanor.convTranspose2d(x, weight, null, { stride: pair(options.stride) }),
  conv2dPrepared,
  linearPrepared,
  // Peers prepare their weights elsewhere, and do not know these.
  conv2dPreparation: conv2dPrepared,
  linearPreparation: linearPrepared,
  linearRelu: ([x, weight, bias]) => athanor.linear(x, weight, bias, { activation: 'relu' }),
  geluTanh: ([x]) => athanor.gelu(x, { approximate: 'tanh' }),
  powScalar: ([x], { exponent }) => x.pow(exponent as number),
  clamp: ([x], { min, max }) => athanor.clamp(x, { min: min as number, max: max as number }),
  addInPlace: ([x, y]) => athanor.noGrad(() => x.add_(y)),
  chain: ([x, y]) => x.mul(y).add(1).relu().mul(0.5),
  copy: ([x]) => athanor.clone(x),
  transpose: ([x]) => x.transpose().contiguous(),
  castFloat64: ([x]) => x.cast('float64'),
  fill: (_, { shape, value }) => athanor.full(shape as number[], value as number),
  pad: ([x], { padding }) => athanor.pad(x, padding as number[]),
  concat: (inputs, { axis }) => athanor.concat(inputs, axis as number),
  gather: ([x, index], { axis }) => athanor.gather(x, axis as number, index),
  scatterAdd: ([x, index, src], { axis }) => athanor.scatterAdd(x, axis as number, index, src),
  indexSelect: ([x, index], { axis }) => athanor.indexSelect(x, axis as number, index),
  indexAdd: ([x, index, src], { axis }) => athanor.indexAdd(x, axis as number, index, src),
  oneHot: ([index], { classes }) => athanor.oneHot(index, classes as number),
  embedding: ([weight, index]) => athanor.embedding(weight, index),
  maxPool2d: ([x], { kernel, stride, padding = 0 }) =>
    athanor.maxPool2d(x, pair(kernel), { stride: pair(stride), padding: pair(padding) }),
  maxPool2dWithIndices: ([x], { kernel, stride, padding = 0 }) => {
    const [values, indices] = athanor.maxPool2dWithIndices(x, pair(kernel), {
      stride: pair(stride),
      padding: pair(padding),
    });
    indices.dispose();
    return values;
  },
  avgPool2d: ([x], { kernel, stride }) => athanor.avgPool2d(x, pair(kernel), { stride: pair(stride) }),
  adaptiveAvgPool2d: ([x], { size }) => athanor.adaptiveAvgPool2d(x, pair(size)),
  uniform: (_, { shape }) => athanor.rand(shape as number[]),
  normal: (_, { shape }) => athanor.randn(shape as number[]),
  bernoulli: (_, { shape }) => athanor.bernoulli(shape as number[]),
  randint: (_, { shape }) => athanor.randint(0, 1000, shape as number[]),
  permutation: (_, { shape }) => athanor.permutation((shape as number[])[0]),
  dropout: ([x], { p }) => athanor.dropout(x, { p: p as number }),
  batchNorm: ([x, weight, bias]) => athanor.batchNorm(x, null, null, weight, bias, { training: true }),
  batchNormAddRelu: ([x, weight, bias, residual]) =>
    athanor.batchNorm(x, null, null, weight, bias, { training: true, residual, activation: 'relu' }),
  batchNormInference: ([x, mean, variance, weight, bias]) => athanor.batchNorm(x, mean, variance, weight, bias),
  rmsNorm: ([x, weight]) => athanor.rmsNorm(x, [x.shape[x.ndim - 1]], weight),
  groupNorm: ([x, weight, bias], { groups }) => athanor.groupNorm(x, groups as number, weight, bias),
  attention: ([q, k, v], { causal }) => athanor.scaledDotProductAttention(q, k, v, { isCausal: causal as boolean }),
  layerNorm: ([x, weight, bias]) => athanor.layerNorm(x, [x.shape[x.ndim - 1]], weight, bias),
};

const byAxis = ['sum', 'mean', 'prod', 'max', 'min', 'all', 'any', 'argmax', 'argmin', 'variance', 'std', 'cumsum'];
const byLastAxis = ['softmax', 'logSoftmax', 'logSumExp'];

/** Recurrent layers on given weights: their fields are the inputs themselves, so that gradients reach those. */
const recurrent = { lstm: athanor.nn.LSTM, gru: athanor.nn.GRU, rnn: athanor.nn.RNN } as const;

function recurrentWork(name: keyof typeof recurrent): (inputs: Tensor[]) => Tensor {
  let layer: athanor.nn.Module<[Tensor], [Tensor, unknown]> | undefined;
  return ([x, weightIhL0, weightHhL0, biasIhL0, biasHhL0]) => {
    if (layer === undefined) {
      layer = new recurrent[name](x.shape[2], weightHhL0.shape[1]) as never;
      Object.assign(layer as object, { weightIhL0, weightHhL0, biasIhL0, biasHhL0 });
    }
    return athanor.tidy(() => layer?.forward(x)[0] as Tensor); // the state is not left to the garbage collector
  };
}

const { optim } = athanor;
type Stepper = { step(): void };

/** Optimizers by their rows: the first half of the inputs are parameters, the second their gradients. */
const optimizers: Readonly<Record<string, (params: Tensor[]) => Stepper>> = {
  sgdStep: (params) => new optim.SGD(params, { lr: 0.01, momentum: 0.9 }),
  adamStep: (params) => new optim.Adam(params, { lr: 0.001 }),
  rmspropStep: (params) => new optim.RMSprop(params, { lr: 0.01 }),
  adagradStep: (params) => new optim.Adagrad(params, { lr: 0.01 }),
};

/** From call to call the limit of a norm falls, or gradients that were clipped once would be left as they are. */
const shrinking = 0.9999;

/** A step over all parameters; what is compared is the first of them, or the norm. */
function optimizerWork(name: string): (inputs: Tensor[]) => Tensor {
  let optimizer: Stepper | undefined;
  let limit = 1;
  return (inputs) => {
    const params = inputs.slice(0, inputs.length / 2);
    if (params[0].grad === null) {
      params.forEach((p, i) => {
        p.requiresGrad = true;
        p.grad = inputs[params.length + i];
      });
    }
    if (name === 'clipGradNorm') {
      limit *= shrinking;
      return optim.clipGradNorm_(params, limit);
    }
    optimizer ??= optimizers[name](params);
    optimizer.step();
    return params[0];
  };
}

/** The work of a case on athanor's tensors. Throws when nothing has its name. */
export function workOf(c: Case): (inputs: Tensor[]) => Tensor {
  const options = c.options ?? {};
  if (c.group === 'optim') return optimizerWork(c.work);
  if (c.work in recurrent) return recurrentWork(c.work as keyof typeof recurrent);
  const own = special[c.work];
  if (own !== undefined) return (inputs) => own(inputs, options);
  const named = (athanor as unknown as Record<string, unknown>)[c.work];
  if (typeof named !== 'function') throw new Error(`no work is called ${c.work}`);
  const call = named as (...args: unknown[]) => Tensor;
  const axis = options.axis ?? (byLastAxis.includes(c.work) ? -1 : undefined);
  const rest = axis !== undefined && (byAxis.includes(c.work) || byLastAxis.includes(c.work)) ? [axis] : [];
  return (inputs) => {
    const out = call(...inputs, ...rest);
    return out instanceof TensorClass ? out : (out as unknown as Tensor[])[0];
  };
}
