// The arguments of `npm run ops`, and what it builds for them.
import { temporaryFolder } from '../support/folder.js';
import { runPrepared } from '../support/prepared.js';

const folder = temporaryFolder();
const ops = (...args: string[]) => {
  const { status, stdout, stderr } = runPrepared(folder, ['scripts/ops.js', ...args]);
  return { status, stdout, stderr };
};

test('help and mistakes come before kernels are compiled', () => {
  const help = ops('--help');
  expect(help.stdout).toMatch(/^no kernels\nUsage: npm run ops -- .*support \[options\] +list dtypes/s);
  expect(help.status).toBe(0);
  expect(ops()).toMatchObject({ status: 1, stdout: 'no kernels\n', stderr: expect.stringContaining('Usage:') });
  expect(ops('nonsense')).toEqual({
    status: 1,
    stdout: 'no kernels\n',
    stderr: "error: unknown command 'nonsense'\n",
  });
  expect(ops('test', '--case', 'x').stderr).toMatch(/^error: .*'x' is invalid. A whole number is expected\.\n$/);
});

test('the addon is built, and not the CUDA module', () => {
  const { status, stdout } = ops('support', '-o', 'relu');
  expect(stdout).toMatch(/^no kernels\nathanor_addon\n\| op .*\n\| `relu` +\| yes /s);
  expect(status).toBe(0);
  expect(ops('test', '-o', 'nonsense')).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^no op row is named nonsense; there are /),
  });
});
