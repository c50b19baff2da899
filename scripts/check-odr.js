'use strict';
// The kernels are compiled once per instruction set. Of a function with external linkage that two objects define (inline,
// template), the linker keeps one copy for all, perhaps the AVX-512 one, and an older CPU then dies of SIGILL. So every
// such symbol in the objects of a level must belong to the level's own namespace.
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { root, fail, say } = require('./lib/run.js');
const { finish } = require('./lib/counts.js');

function objectsOf(level) {
  const folder = path.join(root, 'build', 'cmake', 'CMakeFiles', `athanor_cpu_${level}.dir`);
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.o'))
    .map((name) => path.join(folder, name));
}

/** Symbols defined in `file` that another object could define too and that do not name the level's namespace. */
function shared(file, level) {
  const nm = spawnSync('nm', ['--demangle', '--defined-only', file], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (nm.status !== 0) fail(`nm cannot read ${file}`);
  return nm.stdout
    .split('\n')
    .map((line) => /^\S* ([A-Zu]) (.+)$/.exec(line))
    .filter((symbol) => symbol && !symbol[2].includes(`athanor::${level}::`))
    .filter((symbol) => !symbol[2].startsWith('DW.ref.')) // a pointer to the exception runtime: no code
    .map((symbol) => `${symbol[1]} ${symbol[2]}`);
}

const counts = { passed: 0, failed: 0, skipped: 0 };
for (const level of ['baseline', 'avx2', 'avx512']) {
  for (const file of objectsOf(level)) {
    const found = shared(file, level);
    for (const symbol of found) say(`${path.relative(root, file)} shares ${symbol}`);
    counts[found.length === 0 ? 'passed' : 'failed'] += 1;
  }
}
if (counts.passed + counts.failed === 0) fail('there are no kernel objects: run npm run build:native first');
finish(counts);
