'use strict';
// Stands before nvcc in the build of the CUDA module: what ptxas says of registers and spills goes to a file beside the
// object, where scripts/check-cuda.js reads it, and not to the terminal. Everything else that nvcc says is shown.
//   node nvcc-report.js OBJECT nvcc ARGUMENTS...
const fs = require('node:fs');
const { spawnSync } = require('node:child_process');

const [object, command, ...args] = process.argv.slice(2);
const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'inherit', 'pipe'] });
const text = error === undefined ? stderr : `${command}: ${error.message}\n`;
const report = /^ptxas info|^ {4}\d+ bytes (stack frame|gmem)/;
const lines = text.split('\n');
fs.writeFileSync(`${object}.ptxas`, `${lines.filter((line) => report.test(line)).join('\n')}\n`);
const rest = lines.filter((line) => !report.test(line) && line.trim() !== '');
if (rest.length > 0) console.error(rest.join('\n'));
process.exit(status ?? 1);
