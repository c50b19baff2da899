import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder for the files of one test file, removed after it. */
export function temporaryFolder(): {
  path(name: string): string;
  write(name: string, content: Uint8Array | string): string;
} {
  const folder = mkdtempSync(join(tmpdir(), 'athanor-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string) => join(folder, name);
  return {
    path,
    write(name, content) {
      writeFileSync(path(name), content);
      return path(name);
    },
  };
}
