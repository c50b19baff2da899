import { subjects } from './subjects.js';

test('every row has cases', () => {
  const without = [...subjects()].filter(([, { cases }]) => cases.length === 0).map(([name]) => name);
  expect(without).toEqual([]);
});
