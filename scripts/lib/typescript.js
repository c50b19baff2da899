'use strict';
// The TypeScript half: lib/ into dist/ (the package), then examples, benchmarks and tools into build/.
const fs = require('node:fs');
const path = require('node:path');
const { root, run, say, packageFile } = require('./run.js');
const { hashOf, isFresh, markFresh } = require('./stamp.js');

const CONFIGURATION = ['tsconfig.base.json', 'package.json', 'package-lock.json'];
// In this order: the examples import the package by its own name, so they see it through dist/.
const PROJECTS = [
  { config: 'tsconfig.json', sources: ['lib'], results: ['dist/index.js', 'dist/index.mjs'], emptied: ['dist'] },
  {
    config: 'tsconfig.examples.json',
    sources: ['lib', 'examples', 'benchmarks', 'scripts'],
    results: ['build/examples'],
    emptied: ['build/examples', 'build/benchmarks', 'build/scripts'],
  },
];

/** So that `npx athanor` works in the checkout too; npm does the same where it installs the package. */
function makeBinsExecutable() {
  for (const bin of Object.values(require(path.join(root, 'package.json')).bin))
    fs.chmodSync(path.join(root, bin), 0o755);
}

/** Compiles what is stale, and returns whether anything was. */
function buildTypeScript() {
  let compiled = false;
  for (const { config, sources, results, emptied } of PROJECTS) {
    const hash = hashOf([config, ...CONFIGURATION, ...sources]);
    if (isFresh(config, hash, results)) continue;
    say(`compiling TypeScript (${config})`);
    for (const folder of emptied) fs.rmSync(path.join(root, folder), { recursive: true, force: true });
    run(process.execPath, [packageFile('typescript', 'bin/tsc'), '--project', config]);
    makeBinsExecutable();
    markFresh(config, hash);
    compiled = true;
  }
  return compiled;
}

module.exports = { buildTypeScript };
