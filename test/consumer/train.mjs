// What a consumer that uses ES modules would write.
import assert from 'node:assert/strict';
import { tensor } from 'athanor';

assert.deepEqual(Array.from(await tensor([1, 2, 3]).add(1).data()), [2, 3, 4]);
