// Every function of these modules takes a tensor first and is also a method of Tensor.
import { Tensor } from '../tensor.js';
import * as activation from './activation.js';
import * as argmax from './argmax.js';
import * as binary from './binary.js';
import * as compare from './compare.js';
import * as conv from './conv.js';
import * as copy from './copy.js';
import * as dropout from './dropout.js';
import * as indexing from './indexing.js';
import * as linear from './linear.js';
import * as loss from './loss.js';
import * as matmul from './matmul.js';
import * as norm from './norm.js';
import * as pad from './pad.js';
import * as pool from './pool.js';
import * as reduce from './reduce.js';
import * as scan from './scan.js';
import * as softmax from './softmax.js';
import * as split from './split.js';
import * as statistics from './statistics.js';
import * as to from './to.js';
import * as triangle from './triangle.js';
import * as unary from './unary.js';
import * as view from './view.js';
import * as where from './where.js';

/** A function on a tensor as a method of it. */
type Method<F> = F extends (x: never, ...rest: infer Rest) => infer Result ? (...rest: Rest) => Result : never;
type MethodsOf<Module> = { [Name in keyof Module]: Method<Module[Name]> };

const modules = [
  activation,
  argmax,
  binary,
  compare,
  conv,
  copy,
  dropout,
  indexing,
  linear,
  loss,
  matmul,
  pad,
  norm,
  pool,
  reduce,
  scan,
  softmax,
  split,
  statistics,
  to,
  triangle,
  unary,
  view,
  where,
];

/** All op methods of a tensor. */
export interface Methods
  extends MethodsOf<typeof activation>,
    MethodsOf<typeof argmax>,
    MethodsOf<typeof binary>,
    MethodsOf<typeof compare>,
    MethodsOf<typeof conv>,
    MethodsOf<typeof copy>,
    MethodsOf<typeof dropout>,
    MethodsOf<typeof indexing>,
    MethodsOf<typeof linear>,
    MethodsOf<typeof loss>,
    MethodsOf<typeof matmul>,
    MethodsOf<typeof pad>,
    MethodsOf<typeof norm>,
    MethodsOf<typeof pool>,
    MethodsOf<typeof reduce>,
    MethodsOf<typeof scan>,
    MethodsOf<typeof softmax>,
    MethodsOf<typeof split>,
    MethodsOf<typeof statistics>,
    MethodsOf<typeof to>,
    MethodsOf<typeof triangle>,
    MethodsOf<typeof unary>,
    MethodsOf<typeof view>,
    MethodsOf<typeof where> {}

for (const module of modules) {
  for (const [name, fn] of Object.entries(module) as [string, unknown][]) {
    if (typeof fn !== 'function') continue;
    Object.defineProperty(Tensor.prototype, name, {
      configurable: true,
      writable: true,
      value(this: Tensor, ...rest: unknown[]) {
        return fn(this, ...rest);
      },
    });
  }
}
