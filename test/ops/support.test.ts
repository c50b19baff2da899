import { documents } from './cli/support.js';
import { subjects } from './subjects.js';

test('the support table in the documents is current: npm run ops -- support --write', () => {
  const found = documents(subjects().values());
  expect(found.length).toBeGreaterThan(0);
  for (const { is, should } of found) expect(is).toBe(should);
});
