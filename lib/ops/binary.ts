import { defineOp, type Op } from '../define.js';
import { apply, applyInto, type Operand } from '../dispatch.js';
import { dtypes, promote, promoteNumber } from '../dtype.js';
import { fail, show } from '../errors.js';
import { broadcastShapes, numel } from '../shape.js';
import { Tensor } from '../tensor.js';

function binaryRow(name: string, ref: (a: number, b: number) => number, vjp: Op['vjp']): Op {
  return defineOp({
    name,
    inputs: ['a', 'b'],
    save: ['a', 'b'],
    infer: ([a, b]) => ({ shape: broadcastShapes(name, a.shape, b.shape), dtype: a.dtype }),
    vjp,
    ref: ([a, b]) => {
      const shape = broadcastShapes(name, a.shape, b.shape);
      const at = (x: typeof a, i: number) => {
        let rest = i;
        let place = 0;
        let step = 1;
        for (let d = 1; d <= x.shape.length; d++) {
          const size = x.shape[x.shape.length - d];
          const index = rest % shape[shape.length - d];
          rest = Math.floor(rest / shape[shape.length - d]);
          if (size !== 1) place += index * step;
          step *= size;
        }
        return x.data[place];
      };
      return { shape, data: Float64Array.from({ length: numel(shape) }, (_, i) => ref(at(a, i), at(b, i))) };
    },
    cost: (inputs, [out]) => ({
      flops: numel(out.shape),
      bytes: [...inputs, out].reduce((n, m) => n + numel(m.shape) * dtypes[m.dtype].itemSize, 0),
    }),
  });
}

function meet(name: string, a: Operand, b: Operand): [Operand, Operand] {
  if (a instanceof Tensor && b instanceof Tensor) {
    const dtype = promote(a.dtype, b.dtype);
    return [a.cast(dtype), b.cast(dtype)];
  }
  if (a instanceof Tensor && typeof b === 'number') return [a.cast(promoteNumber(a.dtype, b)), b];
  if (b instanceof Tensor && typeof a === 'number') return [a, b.cast(promoteNumber(b.dtype, a))];
  return fail(name, 'operands must be tensors, or a tensor and a number', `${show(a)} and ${show(b)}`);
}

const addOp = binaryRow('add', (a, b) => a + b, [(g) => g, (g) => g]);
const mulOp = binaryRow('mul', (a, b) => a * b, [(g, { b }) => mul(g, b), (g, { a }) => mul(g, a)]);

/** a + b, elementwise with broadcasting. Throws when the shapes do not broadcast. */
export function add(a: Operand, b: Operand): Tensor {
  return apply(addOp, meet('add', a, b), undefined);
}

/** a b, elementwise with broadcasting. Throws when the shapes do not broadcast. */
export function mul(a: Operand, b: Operand): Tensor {
  return apply(mulOp, meet('mul', a, b), undefined);
}

/** a + b in the memory of a. */
export function add_(a: Tensor, b: Operand): Tensor {
  applyInto(addOp, [a, b instanceof Tensor ? b.cast(a.dtype) : b], [a], undefined);
  return a;
}
