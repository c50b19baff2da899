import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A folder for the files of one test file, removed after it. It is made when it is first used: jest calls no hooks in a file
 * whose tests are all skipped.
 */
export function temporaryFolder(): {
  path(name: string): string;
  write(name: string, content: Uint8Array | string): string;
} {
  let folder: string | undefined;
  afterAll(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });
  const path = (name: string) => {
    folder ??= mkdtempSync(join(tmpdir(), 'athanor-test-'));
    return join(folder, name);
  };
  return {
    path,
    write(name, content) {
      writeFileSync(path(name), content);
      return path(name);
    },
  };
}
