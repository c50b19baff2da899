// One class, whether it came by `import` or by `require`.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import * as imported from 'athanor';

const required = createRequire(import.meta.url)('athanor');
assert.ok(imported.Tensor);
assert.equal(imported.Tensor, required.Tensor);
const names = (exports) =>
  Object.keys(exports).filter((name) => !['default', 'module.exports', '__esModule'].includes(name));
assert.deepEqual(names(imported).sort(), names(required).sort());
