// Every function of these modules takes a tensor first and is also a method of Tensor.
import { Tensor } from '../tensor.js';
import * as binary from './binary.js';
import * as copy from './copy.js';
import * as matmul from './matmul.js';
import * as reduce from './reduce.js';
import * as view from './view.js';

/** A function on a tensor as a method of it. */
type Method<F> = F extends (x: never, ...rest: infer Rest) => infer Result ? (...rest: Rest) => Result : never;
type MethodsOf<Module> = { [Name in keyof Module]: Method<Module[Name]> };

const modules = [binary, copy, matmul, reduce, view];

/** All op methods of a tensor. */
export interface Methods
  extends MethodsOf<typeof binary>,
    MethodsOf<typeof copy>,
    MethodsOf<typeof matmul>,
    MethodsOf<typeof reduce>,
    MethodsOf<typeof view> {}

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
