'use strict';
// `npm run accuracy`: how far the functions of native/math are off, in ulp, at each instruction set.
//   npm run accuracy [-- --op exp]             over every 257th float32 pattern: seconds
//   npm run accuracy -- --all --write          over all 2^32 of them: an hour; docs/accuracy.json and .md follow
const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const readline = require('node:readline');
const { prepare } = require('./lib/prepare.js');
const { root, parseOptions } = require('./lib/run.js');

const json = path.join(root, 'docs', 'accuracy.json');
const page = path.join(root, 'docs', 'accuracy.md');
const marked = /(<!-- accuracy: (float32|float64) -->)[\s\S]*?(<!-- end of accuracy -->)/g;

const options = parseOptions(__filename, {
  all: { type: 'boolean', default: false },
  stride: { type: 'string', default: '257' },
  op: { type: 'string' },
  write: { type: 'boolean', default: false },
});

/** A table of the results of one dtype: the largest distance at each level, and what is promised. */
function tableOf(results, dtype) {
  const rows = results.filter((r) => r.dtype === dtype);
  const levels = [...new Set(rows.flatMap((r) => Object.keys(r.ulp)))];
  const lines = [
    ['function', ...levels, 'promised', 'measured over'],
    ['---', ...levels.map(() => '---:'), '---:', '---'],
    ...rows.map((r) => [`\`${r.op}\``, ...levels.map((l) => r.ulp[l]?.toFixed(3) ?? ''), `${r.bound}`, r.over]),
  ];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** The results, each printed as it comes. */
async function measure(stride) {
  prepare({ native: { targets: ['athanor_native_test'] }, typescript: false });
  const program = path.join(root, 'build', 'cmake', 'athanor_native_test');
  const child = spawn(program, ['--accuracy', stride, ...(options.op ? [options.op] : [])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const results = [];
  for await (const line of readline.createInterface({ input: child.stdout })) {
    const result = JSON.parse(line);
    results.push(result);
    const ulp = Object.entries(result.ulp).map(([level, value]) => `${level} ${value.toFixed(3)}`);
    console.log(`${result.op.padEnd(12)} ${result.dtype}  ${ulp.join('  ')}  (promised ${result.bound})`);
  }
  if (results.length === 0) throw new Error(`no function is named ${options.op}`);
  return results;
}

/** Puts results in the place of older ones of the same function and dtype. */
function merge(old, results) {
  const key = (r) => `${r.op} ${r.dtype}`;
  const added = new Map(results.map((r) => [key(r), r]));
  const kept = old.map((r) => added.get(key(r)) ?? r);
  const known = new Set(old.map(key));
  return [...kept, ...results.filter((r) => !known.has(key(r)))];
}

async function main() {
  const results = await measure(options.all ? '1' : options.stride);
  if (options.write) {
    const merged = merge(fs.existsSync(json) ? JSON.parse(fs.readFileSync(json, 'utf8')) : [], results);
    fs.writeFileSync(json, `${JSON.stringify(merged, null, 2)}\n`);
    const text = fs.readFileSync(page, 'utf8');
    fs.writeFileSync(
      page,
      text.replace(marked, (_, open, dtype, close) => `${open}\n\n${tableOf(merged, dtype)}\n\n${close}`),
    );
  }
  if (results.some((r) => Object.values(r.ulp).some((ulp) => ulp > r.bound))) {
    throw new Error('a function is further off than promised');
  }
}

main().catch((error) => {
  console.error(`athanor: ${error.message}`);
  process.exitCode = 1;
});
