import { AthanorError, synchronize, tensor } from '../../lib/index.js';
import { errors } from './checks/errors.js';
import { errorCases } from './subjects.js';
import { everyRow } from './suite.js';

everyRow(errors);

describe('promised errors', () => {
  test.each(errorCases().map(({ family, error }) => [family, error.name, error] as const))(
    '%s: %s',
    async (_family, _name, error) => {
      const call = async () => {
        await error.call();
        synchronize(); // a mistake in the data is found by the stream
      };
      await expect(call()).rejects.toThrow(error.message);
      await expect(call()).rejects.toThrow(AthanorError);
      expect(tensor([1, 2]).add(1).toArraySync()).toEqual([2, 3]);
    },
  );
});
