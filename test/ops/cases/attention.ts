import { nn, scaledDotProductAttention, tensor, zeros } from '../../../lib/index.js';
import type { Case, ErrorCase, InputSpec } from '../case.js';

interface Setting {
  /** N, L, S, H, E, D */
  readonly sizes: readonly [number, number, number, number, number, number];
  readonly causal?: boolean;
  readonly mask?: readonly number[] | 'drawn';
  readonly scale?: number;
}

const off = -Infinity;

/** One block and several, of queries and of keys; more queries than keys and fewer; masks, some of them of whole rows. */
const settings: readonly Setting[] = [
  { sizes: [2, 3, 3, 2, 4, 4] },
  { sizes: [1, 4, 4, 2, 3, 3], causal: true },
  { sizes: [1, 2, 5, 1, 3, 2], causal: true, scale: 1 },
  { sizes: [1, 5, 2, 1, 2, 3], causal: true },
  { sizes: [1, 1, 1, 1, 1, 1] },
  { sizes: [2, 3, 2, 1, 4, 3], mask: 'drawn' },
  { sizes: [1, 2, 3, 2, 2, 2], mask: 'drawn', causal: true },
  { sizes: [1, 3, 2, 1, 2, 2], mask: [0, off, off, off, off, 1] },
];
const tooMany = 'the gradient of so many elements takes too long one by one';
const large: readonly Setting[] = [
  { sizes: [1, 70, 140, 2, 5, 3], scale: 0.05 },
  { sizes: [1, 140, 140, 2, 17, 17], causal: true, scale: 0.05 },
  { sizes: [1, 66, 300, 1, 8, 33], mask: 'drawn', scale: 0.05 },
  { sizes: [2, 130, 40, 3, 40, 35], causal: true, scale: 0.05 },
  // Rows of whole chunks of 16 bytes, for kernels with tiles: widths of heads, several tiles and parts of one.
  { sizes: [1, 70, 70, 1, 64, 64], causal: true, scale: 0.02 },
  { sizes: [2, 20, 70, 2, 32, 20], mask: 'drawn', scale: 0.05 },
  { sizes: [1, 20, 36, 1, 128, 100], causal: true, mask: 'drawn', scale: 0.02 },
];
const empty: readonly Setting[] = [{ sizes: [0, 3, 3, 2, 4, 4] }, { sizes: [1, 2, 0, 1, 3, 2] }];

const drawn: Setting['mask'] = 'drawn';

function maskOf({ sizes: [N, L, S, H], mask }: Setting): InputSpec | number {
  if (mask === undefined) return 0;
  return mask === drawn ? { shape: [N, H, L, S] } : { shape: [N, H, L, S], values: mask as number[] };
}

const attrsOf = ({ scale = 0.5, causal = false }: Setting) => ({ scale, causal });
const infinite = (s: Setting) => (Array.isArray(s.mask) ? 'infinite' : undefined);

function separate(s: Setting): Case {
  const [N, L, S, H, E, D] = s.sizes;
  const inputs = [{ shape: [N, L, H, E] }, { shape: [N, S, H, E] }, { shape: [N, S, H, D] }, maskOf(s)];
  return { inputs, attrs: attrsOf(s), skipGrad: infinite(s) };
}

/** Those with as many keys as queries and one width. */
function packed(s: Setting): Case {
  const [N, L, , H, E] = s.sizes;
  return { inputs: [{ shape: [N, L, 3, H, E] }, maskOf(s)], attrs: attrsOf(s), skipGrad: infinite(s) };
}

/** What a forward call left: any numbers will do, sums large enough that probabilities stay small. */
function results({ sizes: [N, L, , H, , D] }: Setting, withSums: boolean): (InputSpec | number)[] {
  const out = { shape: [N, L, H, D] };
  return [out, { shape: [N, H, L], low: 5, high: 7 }, out, withSums ? { shape: [N, H, L] } : 0];
}

const gradientOf = (make: (s: Setting) => Case) => (s: Setting, i: number) => {
  const c = make(s);
  return { ...c, inputs: [...c.inputs, ...results(s, i % 2 === 1)] };
};

const isSelf = ({ sizes: [, L, S, , E, D] }: Setting) => L === S && E === D;
const all = [...settings, ...empty];
const skipped = (c: Case): Case => ({ ...c, skipGrad: tooMany });

export const cases: Record<string, Case[]> = {
  attention: [...all.map(separate), ...large.map(separate).map(skipped)],
  attentionGrad: [...all, ...large].map(gradientOf(separate)),
  packedAttention: [...all.filter(isSelf).map(packed), ...large.filter(isSelf).map(packed).map(skipped)],
  packedAttentionGrad: [...all, ...large].filter(isSelf).map(gradientOf(packed)),
};

const gpt: Setting = { sizes: [12, 64, 64, 4, 32, 32], causal: true };
const long: Setting = { sizes: [1, 1024, 1024, 8, 64, 64], causal: true };
const sized = [gpt, long];

export const perf: Record<string, Case[]> = {
  attention: sized.map(separate),
  attentionGrad: sized.map((s) => gradientOf(separate)(s, 0)),
};

const q = () => zeros([2, 3, 4]);

export const errors: ErrorCase[] = [
  {
    name: 'keys of another width',
    call: () => scaledDotProductAttention(q(), zeros([2, 5, 3]), zeros([2, 5, 4])),
    message:
      'scaledDotProductAttention: q, k and v must agree in leading sizes, k in the last size of q, v in the keys: [2, 3, 4], [2, 5, 3], [2, 5, 4]',
  },
  {
    name: 'vectors',
    call: () => scaledDotProductAttention(zeros([3]), zeros([3]), zeros([3])),
    message: 'scaledDotProductAttention: q, k and v must be [..., L, E]: [3], [3], [3]',
  },
  {
    name: 'whole numbers',
    call: () => scaledDotProductAttention(tensor([[1]], { dtype: 'int32' }), q(), q()),
    message: /^scaledDotProductAttention: operands differ in dtype/,
  },
  {
    name: 'a mask of another shape',
    call: () => scaledDotProductAttention(q(), q(), q(), { attnMask: zeros([4, 3]) }),
    message: 'scaledDotProductAttention: attnMask does not broadcast to the scores [2, 3, 3]: [4, 3]',
  },
  {
    name: 'a mask of whole numbers',
    call: () => scaledDotProductAttention(q(), q(), q(), { attnMask: zeros([3, 3], { dtype: 'int32' }) }),
    message: /^scaledDotProductAttention: attnMask must be bool or float: /,
  },
  {
    name: 'dropout above 1',
    call: () => scaledDotProductAttention(q(), q(), q(), { dropoutP: 2 }),
    message: 'scaledDotProductAttention: dropoutP must be a number from 0 to 1: 2',
  },
  {
    name: 'heads that do not divide the width',
    call: () => new nn.MultiheadAttention(10, 4),
    message: 'MultiheadAttention: embedDim must be a multiple of numHeads: 10 and 4',
  },
];
