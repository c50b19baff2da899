// How large this machine's caches are: only to choose working sets that lie in each of them.
import * as fs from 'node:fs';
import * as path from 'node:path';

/** Bytes of one cache of each level, and how many of the machine's processors share it. */
export interface Cache {
  readonly level: 1 | 2 | 3;
  readonly bytes: number;
  readonly sharedBy: number;
}

const folder = '/sys/devices/system/cpu/cpu0/cache';
const units: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };
// Where the system does not tell: what any processor with vector units of 256 bits or more has at least.
const usual: readonly Cache[] = [
  { level: 1, bytes: 32 << 10, sharedBy: 1 },
  { level: 2, bytes: 512 << 10, sharedBy: 1 },
  { level: 3, bytes: 16 << 20, sharedBy: 4 },
];

function read(...parts: readonly string[]): string {
  return fs.readFileSync(path.join(folder, ...parts), 'utf8').trim();
}

/** How many numbers a list such as "0-3,8" names. */
function countOf(list: string): number {
  return list
    .split(',')
    .map((range) => range.split('-').map(Number))
    .reduce((n, [first, last = first]) => n + last - first + 1, 0);
}

/** The data caches, first level first. */
export function caches(): readonly Cache[] {
  try {
    const found = fs
      .readdirSync(folder)
      .filter((name) => /^index\d+$/.test(name) && read(name, 'type') !== 'Instruction')
      .map((name): Cache => {
        const [, size, unit] = /^(\d+)([KMG]?)/.exec(read(name, 'size')) as RegExpExecArray;
        return {
          level: Number(read(name, 'level')) as Cache['level'],
          bytes: Number(size) * (units[unit] ?? 1),
          sharedBy: countOf(read(name, 'shared_cpu_list')),
        };
      })
      .sort((a, b) => a.level - b.level);
    return found.length >= 2 ? found : usual;
  } catch {
    return usual;
  }
}
