import type { Op } from '../../../lib/define.js';
import type { Operand } from '../../../lib/dispatch.js';
import { gradcheck, gradgradcheck, type Tensor } from '../../../lib/index.js';
import type { Case } from '../case.js';
import { inferred } from '../reference.js';
import { call, operands } from '../run.js';
import { type Drawn, drawCase, isNumber } from '../values.js';
import { type Check, caseCheck, during } from './check.js';

// Tighter than gradcheck's defaults, which must serve functions of any scale.
const closeness = { eps: 1e-5, atol: 1e-7, rtol: 1e-5 };

/** Why the gradient of a case cannot be compared, or null when it can. */
export function notDifferentiable(op: Op<never>, c: Case, drawn: Drawn): string | null {
  if (c.skipGrad !== undefined) return c.skipGrad;
  if (!op.differentiable) return 'the row has no gradient';
  if (!drawn.some((x) => !isNumber(x) && x.dtype === 'float64' && x.data.length > 0)) return 'no float input';
  return inferred(op, drawn, c.attrs).some((m) => m.dtype === 'float64') ? null : 'no float64 output';
}

interface Prepared {
  /** The call as a function of its tensors alone. */
  readonly fn: (...tensors: Tensor[]) => Tensor[];
  readonly tensors: Tensor[];
}

function prepare(op: Op<never>, c: Case, drawn: Drawn): Prepared {
  const all = operands(drawn);
  const tensors = all.filter((x): x is Tensor => typeof x !== 'number');
  tensors.forEach((t, i) => {
    const rule = op.jointVjp !== null ? undefined : (op.vjp as readonly unknown[])[all.indexOf(tensors[i])];
    if (t.dtype === 'float64' && rule !== 'none') t.requiresGrad = true;
  });
  const fn = (...given: Tensor[]) => {
    let next = 0;
    const inputs: Operand[] = all.map((x) => (typeof x === 'number' ? x : given[next++]));
    return call(op, inputs, c.attrs);
  };
  return { fn, tensors };
}

const backwards = (t: Tensor) => t.permute(t.shape.map((_, d) => t.ndim - 1 - d));

/** The same values, laid out in the opposite order of axes. */
const relaid = (t: Tensor) => (t.ndim < 2 ? t : backwards(backwards(t).contiguous()));

function gradientCheck(name: string, body: (prepared: Prepared, seed: number, op: Op<never>) => void): Check {
  const check = caseCheck(
    name,
    'grad',
    ({ op }, c, seed) => {
      const drawn = drawCase(c, 'float64', seed);
      if (notDifferentiable(op, c, drawn) !== null) return;
      const prepared = prepare(op, c, drawn);
      body(prepared, seed, op);
      for (const t of prepared.tensors) t.dispose();
    },
    ({ op }) => op.differentiable && op.inputs.length > 0,
  );
  return {
    ...check,
    run(subject, selection) {
      check.run(subject, selection);
      const { op, cases } = subject;
      if (cases.some((c) => notDifferentiable(op, c, drawCase(c, 'float64', selection.seed)) === null)) return;
      throw new Error(`${op.name}: the row has a gradient, but none of its cases can be compared with differences`);
    },
  };
}

/** Gradients agree with central differences; so they do when inputs and incoming gradients lie transposed in memory. */
export const gradient = gradientCheck('gradient', ({ fn, tensors }, seed, op) => {
  gradcheck(fn, tensors, { ...closeness, seed, samples: 40 });
  if (op.view !== undefined) return; // a view of a view: the copy in `relaid` would be all that is tested
  during('transposed', () => {
    const turned = (...given: Tensor[]) => fn(...given.map((t) => (t.isFloat ? relaid(t) : t))).map(backwards);
    gradcheck(turned, tensors, { ...closeness, seed, samples: 4 });
  });
});

/** Gradients of gradients agree with central differences of gradients. */
export const secondGradient = gradientCheck('second gradient', ({ fn, tensors }, seed) => {
  gradgradcheck(fn, tensors, { ...closeness, seed, samples: 10 });
});
