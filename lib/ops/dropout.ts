import { defineOp, type Op } from '../define.js';
import { apply } from '../dispatch.js';
import { fail, show } from '../errors.js';
import { checkFlag, checkOptions } from '../options.js';
import { checkGenerator, type Generator, type GeneratorState } from '../random.js';
import type { Tensor } from '../tensor.js';
import { asFloat, checkTensor, costPerElement } from './axes.js';
import { checkDTypes } from './make/operands.js';
import { packStream, randomWord } from './make/philox.js';

interface Drop {
  readonly p: number;
  readonly stream: GeneratorState;
}

// The same op on the same stream is its own gradient: no mask is kept, it is drawn again.
const dropoutOp: Op<Drop> = defineOp<Drop>({
  name: 'dropout',
  inputs: ['x'],
  infer: ([x]) => ({ shape: x.shape, dtype: checkDTypes('dropout', 'floats', [x]) }),
  pack: ({ p, stream }) => [...packStream(stream), p],
  vjp: [(g, _saved, { attrs }) => apply(dropoutOp, [g.contiguous()], attrs)],
  ref: ([x], { p, stream }) => ({
    shape: x.shape,
    data: x.data.map((v, i) => (p >= 1 || randomWord(stream, i) < Math.floor(p * 2 ** 32) ? 0 : v / (1 - p))),
  }),
  cost: costPerElement(20),
});

/** How {@link dropout} drops. */
export interface DropoutOptions {
  /** The probability that an element becomes 0. Default 0.5. */
  readonly p?: number;
  /** Off: the input itself is returned. Default true. */
  readonly training?: boolean;
  /** Default: the default generator, which manualSeed() seeds. */
  readonly generator?: Generator;
}

/**
 * Each element set to 0 with probability p, the others multiplied by 1 / (1 - p) so that the mean stays (Srivastava et al.
 * 2014). Integers are computed in float32. Throws unless p is in [0, 1].
 */
export function dropout(x: Tensor, options: DropoutOptions = {}): Tensor {
  checkTensor('dropout', x);
  checkOptions('dropout', options, ['p', 'training', 'generator']);
  const { p = 0.5, training = true } = options;
  const generator = checkGenerator('dropout', options.generator);
  if (!(typeof p === 'number' && p >= 0 && p <= 1)) fail('dropout', 'p must be a number from 0 to 1', show(p));
  if (!checkFlag('dropout', 'training', training) || p === 0) return asFloat(x);
  return apply(dropoutOp, [asFloat(x).contiguous()], { p, stream: generator.take(x.size) });
}
