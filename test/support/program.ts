import { execFile } from 'node:child_process';
import * as path from 'node:path';
import { promisify } from 'node:util';

const root = path.resolve(__dirname, '..', '..');

/** Runs a TypeScript program of the tests in a process of its own (under another command where one is given) and returns
 *  the JSON that it prints. Rejects unless it ends by itself with exit code 0. */
export async function runProgram<R>(
  file: string,
  args: readonly (string | number)[],
  env: NodeJS.ProcessEnv = {},
  under: { command: string; args: readonly string[] } | null = null,
): Promise<R> {
  const hook = path.join(root, 'scripts', 'lib', 'swc-register.js');
  const node = [process.execPath, '-r', hook, path.join(root, 'test', file), ...args.map(String)];
  const [command, ...rest] = under === null ? node : [under.command, ...under.args, ...node];
  const { stdout } = await promisify(execFile)(command, rest, {
    cwd: root,
    env: { ...process.env, ...env },
    maxBuffer: 1 << 24,
  });
  return JSON.parse(stdout) as R;
}
