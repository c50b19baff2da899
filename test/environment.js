'use strict';
// jest runs each test file in a vm context, which has its own Float32Array, Error, Promise, Array, ...
// A native addon always creates its objects in the main context, so `addonResult instanceof Float32Array` would be false
// in a test. Two repairs: (1) binary-data constructors become the main context's own, so that identity holds;
// (2) for classes that the engine instantiates in the test context (literals, async functions, engine errors), both
// contexts' instances are accepted.
const { TestEnvironment } = require('jest-environment-node');

const SHARE = [
  'ArrayBuffer',
  'SharedArrayBuffer',
  'DataView',
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float16Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
];
const ACCEPT = [
  'Object',
  'Function',
  'Array',
  'Promise',
  'Map',
  'Set',
  'Error',
  'TypeError',
  'RangeError',
  'SyntaxError',
  'ReferenceError',
  'EvalError',
  'URIError',
  'AggregateError',
];

module.exports = class NativeAddonEnvironment extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    for (const n of SHARE) {
      if (n in globalThis)
        Object.defineProperty(this.global, n, { value: globalThis[n], writable: true, configurable: true });
    }
    const ordinary = Function.prototype[Symbol.hasInstance];
    for (const n of ACCEPT) {
      const inner = this.global[n];
      const outer = globalThis[n];
      if (typeof inner !== 'function' || inner === outer) continue;
      Object.defineProperty(inner, Symbol.hasInstance, {
        configurable: true,
        value(v) {
          return ordinary.call(this, v) || (this === inner && ordinary.call(outer, v));
        },
      });
    }
  }
};
