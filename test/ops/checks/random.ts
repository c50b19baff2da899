import { getNumThreads, setNumThreads } from '../../../lib/index.js';
import { inferred } from '../reference.js';
import { call, disposeAll, operands } from '../run.js';
import { drawCase } from '../values.js';
import { caseCheck } from './check.js';

/** A random row gives the same for the same attributes, on any number of threads, in the promised shape and dtype. */
export const random = caseCheck(
  'random',
  'test',
  ({ op }, c, seed) => {
    const threads = getNumThreads();
    const drawn = drawCase(c, 'float32', seed);
    const metas = inferred(op, drawn, c.attrs);
    try {
      const [once, again, alone] = [threads, threads, 1].map((count) => {
        setNumThreads(count);
        const inputs = operands(drawn);
        const outputs = call(op, inputs, c.attrs);
        const data = outputs.map((t) => [...t.dataSync()]);
        metas.forEach(({ shape, dtype }, k) => {
          if (`${outputs[k].shape}` !== `${shape}` || outputs[k].dtype !== dtype)
            throw new Error(`output ${k} is ${outputs[k].describe()}`);
        });
        disposeAll(inputs, outputs);
        return JSON.stringify(data);
      });
      if (again !== once) throw new Error('two calls with the same attributes give different numbers');
      if (alone !== once) throw new Error('the numbers depend on the number of threads');
    } finally {
      setNumThreads(threads);
    }
  },
  ({ op }) => op.random === true,
);
