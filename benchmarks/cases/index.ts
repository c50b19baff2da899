// All cases, in the order of the groups.
import { type Case, groups } from '../case.js';
import { cases as conv } from './conv.js';
import { cases as elementwise } from './elementwise.js';
import { cases as gemm } from './gemm.js';
import { cases as gpu } from './gpu.js';
import { cases as layers } from './layers.js';
import { cases as norm } from './norm.js';
import { cases as pool } from './pool.js';
import { cases as reduce } from './reduce.js';
import { cases as rest } from './rest.js';
import { cases as softmax } from './softmax.js';

/** Every case but the jobs. */
export const cases: readonly Case[] = [
  ...gemm,
  ...conv,
  ...elementwise,
  ...reduce,
  ...softmax,
  ...norm,
  ...layers,
  ...pool,
  ...rest,
  ...gpu,
].sort((a, b) => groups.indexOf(a.group) - groups.indexOf(b.group));
