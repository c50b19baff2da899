import { execFileSync } from 'node:child_process';
import { root } from './root.js';

function git(...args: readonly string[]): string {
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}

/** The commit that is measured, with a "+" behind it where files have changed. */
export function commit(): string {
  if (process.env.ATHANOR_COMMIT) return process.env.ATHANOR_COMMIT.slice(0, 12); // of a copy without its history
  const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
  return `${git('rev-parse', 'HEAD').slice(0, 12) || 'unknown'}${changed ? '+' : ''}`;
}
