import type { Check } from './check.js';
import { errors } from './errors.js';
import { forward } from './forward.js';
import { gradient, secondGradient } from './gradient.js';
import { inPlace } from './in-place.js';
import { kernels } from './kernels.js';
import { layoutsCheck } from './layouts.js';
import { leaks } from './leaks.js';
import { random } from './random.js';
import { sizesCheck } from './sizes.js';
import { special } from './special.js';

/** Everything that is asked of every row. */
export const checks: readonly Check[] = [
  forward,
  random,
  kernels,
  layoutsCheck,
  sizesCheck,
  special,
  inPlace,
  gradient,
  secondGradient,
  leaks,
  errors,
];
