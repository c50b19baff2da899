// Floating-point operations of the layers, a multiply-add as two. What is not a matrix product is left out: it is a
// few in a thousand.

/** Rows of `inputs` numbers, each times a matrix [inputs, outputs]. */
export function linear(rows: number, inputs: number, outputs: number): number {
  return 2 * rows * inputs * outputs;
}

/** A square convolution that makes a `size` x `size` image of `outputs` channels from `inputs` channels. */
export function conv(batch: number, inputs: number, outputs: number, kernel: number, size: number): number {
  return 2 * batch * outputs * size * size * inputs * kernel * kernel;
}

/**
 * A training step of layers in their order: the forward pass, and as much again for the gradients of the weights and
 * of the inputs; the first layer's input is data and needs none.
 */
export function training(layers: readonly number[]): number {
  return 3 * layers.reduce((sum, flops) => sum + flops, 0) - layers[0];
}
