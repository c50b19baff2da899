// A ten-line program of a consumer that uses CommonJS: a line is fitted through points, and the fit is checked.
const assert = require('node:assert/strict');
const { linspace, noGrad, tensor } = require('athanor');

const x = linspace(-1, 1, 101);
const y = x.mul(3).add(0.5);
const slope = tensor(0, { requiresGrad: true });
const offset = tensor(0, { requiresGrad: true });
for (let step = 0; step < 200; step++) {
  x.mul(slope).add(offset).sub(y).square().mean().backward();
  for (const p of [slope, offset]) {
    noGrad(() => p.sub_(p.grad.mul(0.3)));
    p.grad = null;
  }
}
assert.ok(Math.abs(slope.itemSync() - 3) < 1e-3);
assert.ok(Math.abs(offset.itemSync() - 0.5) < 1e-3);
