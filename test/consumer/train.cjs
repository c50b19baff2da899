// What a consumer that uses CommonJS would write.
const assert = require('node:assert/strict');
const { tensor } = require('athanor');

assert.deepEqual(Array.from(tensor([1, 2, 3]).add(1).dataSync()), [2, 3, 4]);
