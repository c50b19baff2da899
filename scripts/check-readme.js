'use strict';
// `npm run test:readme`: every program in README.md (a `ts` block that imports the package) is type-checked and run.
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { prepare } = require('./lib/prepare.js');
const { root, say, packageFile } = require('./lib/run.js');
const { finish } = require('./lib/counts.js');

prepare();
const folder = path.join(root, 'build', 'readme'); // inside the package, so that its own name resolves to dist/
fs.rmSync(folder, { recursive: true, force: true });
fs.mkdirSync(folder, { recursive: true });

const text = fs.readFileSync(path.join(root, 'README.md'), 'utf8');
const blocks = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((block) => block[1]);
const programs = blocks.filter((block) => /from ['"]athanor['"]/.test(block));
const counts = { passed: 0, failed: programs.length === 0 ? 1 : 0, skipped: 0 };
if (programs.length === 0) say('README.md holds no program that imports athanor');

for (const [index, program] of programs.entries()) {
  const file = path.join(folder, `program-${index + 1}.mts`);
  fs.writeFileSync(file, program);
  const options = ['--module', 'Node16', '--target', 'ES2022', '--strict', '--skipLibCheck', '--types', 'node', file];
  const ok = [[packageFile('typescript', 'bin/tsc'), ...options], [file.replace(/mts$/, 'mjs')]].every(
    (args) => spawnSync(process.execPath, args, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0,
  );
  say(`${path.relative(root, file)}: ${ok ? 'ok' : 'FAILED'}`);
  counts[ok ? 'passed' : 'failed'] += 1;
}
finish(counts);
