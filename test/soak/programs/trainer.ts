// A multilayer perceptron that learns a fixed function of random inputs, in plain tensor code: nothing here frees a tensor,
// so whatever is not given back shows.
import { linear, noGrad, type Tensor, tensor } from 'athanor';

export interface Trainer {
  /** One step of gradient descent; returns the loss before it. */
  step(): Tensor;
}

/** Numbers from -1 to 1: multiplicative congruential, period 2^31 - 2 (Park and Miller, 1988). */
function generator(seed: number): () => number {
  let state = seed + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 1073741823.5 - 1;
  };
}

function drawn(shape: readonly number[], scale: number, random: () => number): Tensor {
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() * scale * 1.7);
  return tensor(data, { shape });
}

/** `sizes`: inputs, hidden layers, outputs. The same seed gives the same losses. */
export function makeTrainer(sizes: readonly number[], batch: number, seed = 0): Trainer {
  const random = generator(seed);
  const layers = sizes.slice(1).map((n, i) => {
    const weight = drawn([n, sizes[i]], 1 / Math.sqrt(sizes[i]), random);
    const bias = drawn([n], 0.1, random);
    weight.requiresGrad = true;
    bias.requiresGrad = true;
    return { weight, bias };
  });
  const batches = Array.from({ length: 4 }, () => {
    const x = drawn([batch, sizes[0]], 1, random);
    return {
      x,
      y: x
        .sum([1], { keepDims: true })
        .mul(0.1)
        .expand([batch, sizes[sizes.length - 1]]),
    };
  });
  let steps = 0;
  return {
    step() {
      const { x, y } = batches[steps++ % batches.length];
      let out = x;
      layers.forEach(({ weight, bias }, i) => {
        out = linear(out, weight, bias);
        if (i < layers.length - 1) out = out.mul(out).mul(0.5);
      });
      const error = out.add(y.mul(-1));
      const loss = error.mul(error).mean();
      loss.backward();
      noGrad(() => {
        for (const p of layers.flatMap(({ weight, bias }) => [weight, bias])) {
          p.add_((p.grad as Tensor).mul(-0.003));
          p.grad = null;
        }
      });
      return loss;
    },
  };
}
