import { memory, type Tensor, tensor } from '../../../lib/index.js';
import { collectGarbage } from '../../support/garbage.js';
import { call, disposeAll, dtypesFor, operands } from '../run.js';
import { drawCase, packed, valuesOf } from '../values.js';
import { rowCheck } from './check.js';
import { notDifferentiable } from './gradient.js';

/** After forward, backward and dispose() nothing is left, without any help of the garbage collector. */
export const leaks = rowCheck('leaks', 'leak', ({ op, cases }, seed) => {
  collectGarbage(); // what others left behind must not vanish during the count
  cases.forEach((c, index) => {
    const accepted = dtypesFor(op, c, seed);
    const dtype = accepted.includes('float64') ? 'float64' : accepted[0];
    const drawn = drawCase(c, dtype, seed);
    const differentiable = notDifferentiable(op, c, drawn) === null;
    const before = memory().buffers;
    const inputs = operands(drawn);
    const tensors = inputs.filter((x): x is Tensor => typeof x !== 'number');
    if (differentiable) for (const t of tensors) if (t.dtype === 'float64') t.requiresGrad = true;
    const outputs = call(op, inputs, c.attrs);
    const roots = outputs.filter((out) => out.requiresGrad);
    for (const out of roots) {
      const ones = valuesOf(out.shape, out.dtype, new Float64Array(out.size).fill(1));
      const cotangent = tensor(packed(ones), { shape: out.shape });
      out.backward(cotangent, { retainGraph: out !== roots[roots.length - 1] });
      cotangent.dispose();
    }
    disposeAll(
      tensors.map((t) => t.grad),
      inputs,
      outputs,
    );
    const after = memory().buffers;
    if (after !== before) throw new Error(`case ${index}: ${after - before} buffers more after than before`);
  });
});
