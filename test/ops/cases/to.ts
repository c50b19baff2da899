// Moving between devices; here from the CPU to itself, which is a copy. Other devices are in test/device/.
import { zeros } from '../../../lib/index.js';
import type { Case, ErrorCase } from '../case.js';

const attrs = { device: 0, back: 0 };

export const cases: Record<string, Case[]> = {
  to: [
    { inputs: [{ shape: [] }], attrs },
    { inputs: [{ shape: [3, 4] }], attrs },
    { inputs: [{ shape: [0, 2] }], attrs },
  ],
};

export const errors: ErrorCase[] = [
  {
    name: 'no device',
    call: () => zeros([2]).to('gpu' as never),
    message:
      'to: a tensor moves to a device or a dtype: one of cpu, cuda, cuda:N, float32, float64, bfloat16, int32, uint8, bool: "gpu"',
  },
];
