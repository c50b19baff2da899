'use strict';
// The gates of the CUDA module that need no GPU: it has code for every architecture, kernels spill no registers, it is
// small, and it loads on a machine without a driver, or with too old a one, and says so. Then the PTX that nvcc made of every
// kernel is executed on the processor, under test/device. Without nvcc there is nothing to check.
//   npm run test:cuda               each row forward, and the tests of devices and layers
//   npm run test:cuda -- --all      every check of each row, and each row forward under every schedule (a quarter of an hour)
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { prepare } = require('./lib/prepare.js');
const { root, run, say, firstLine } = require('./lib/run.js');
const { NONE, add, finish } = require('./lib/counts.js');
const { runJest } = require('./lib/suites.js');

const ARCHITECTURES = ['sm_80', 'sm_90a'];
const LARGEST = 12 * 2 ** 20; // bytes of the module
// Elementwise kernels wait for memory: a few numbers that a thread keeps in the first-level cache cost them nothing.
const STREAMING = ['unary', 'binary', 'copy'];
const FEW = 96; // bytes of spill stores and loads together
// One word out and in, at 80 of 255 registers: ptxas keeps the state of a nested branch there, not a number.
const BRANCH = 8;

if (firstLine(process.env.CUDACXX || 'nvcc') === null) {
  console.log('skipped: no nvcc on the PATH, so the CUDA module was not built');
  finish({ ...NONE, skipped: 1 });
}
prepare({ native: { targets: ['athanor', 'athanor_cuda_ptx'] } });

const counts = { ...NONE };
function check(what, failures) {
  for (const failure of failures) console.log(`FAILED ${what}: ${failure}`);
  counts[failures.length === 0 ? 'passed' : 'failed'] += 1;
}

/** Every kernel in the reports of ptxas: { name, architecture, registers, spilled }. */
function kernels() {
  const folder = path.join(root, 'build/cmake/CMakeFiles/athanor_cuda.dir');
  const files = fs.existsSync(folder) ? fs.readdirSync(folder, { recursive: true }) : [];
  const found = [];
  for (const file of files.filter((name) => name.endsWith('.ptxas'))) {
    const family = path.basename(file).split('.')[0];
    let kernel = null;
    for (const line of fs.readFileSync(path.join(folder, file), 'utf8').split('\n')) {
      const begins = /Compiling entry function '([^']+)' for '([^']+)'/.exec(line);
      if (begins) {
        kernel = { family, name: begins[1], architecture: begins[2], registers: 0, spilled: 0 };
        found.push(kernel);
      }
      const spills = /(\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
      if (spills && kernel) kernel.spilled += Number(spills[1]) + Number(spills[2]);
      const used = /Used (\d+) registers/.exec(line);
      if (used && kernel) kernel.registers = Number(used[1]);
    }
  }
  return found;
}

const all = kernels();
for (const architecture of ARCHITECTURES) {
  const list = all.filter((k) => k.architecture === architecture);
  const most = list.reduce((n, k) => Math.max(n, k.registers), 0);
  say(`${architecture}: ${list.length} kernels, at most ${most} registers`);
  check(`code for ${architecture}`, list.length > 0 ? [] : ['the module has none']);
  const spilling = list.filter(({ family, spilled }) => spilled > (STREAMING.includes(family) ? FEW : BRANCH));
  check(
    `spilled registers on ${architecture}`,
    spilling.map((k) => `${k.family}: ${k.spilled} bytes in ${k.name}`),
  );
}

const file = path.join(root, 'build/Release/cuda/athanor_cuda.so');
const bytes = fs.existsSync(file) ? fs.statSync(file).size : 0;
say(`${path.relative(root, file)}: ${(bytes / 2 ** 20).toFixed(1)} MiB`);
check('size of the module', bytes > 0 && bytes < LARGEST ? [] : [`${bytes} bytes, allowed are ${LARGEST}`]);

/** What a program says of devices, and of a tensor for a GPU where there is none. */
function ask(env = {}) {
  const program = `
    const { devices, tensor, ones } = require('./dist/index.js');
    const [cpu, gpu] = devices();
    let refused = '';
    if (!gpu.available) try { tensor([1], { device: 'cuda' }); } catch (error) { refused = error.message; }
    console.log(JSON.stringify({ cpu, gpu, refused, sum: ones([3]).sum().itemSync() }));`;
  const options = { cwd: root, encoding: 'utf8', env: { ...process.env, ...env } };
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', program], options);
  return { told: status === 0 ? JSON.parse(stdout) : null, output: status === 0 ? stdout.trim() : stderr.trim() };
}

/** Whether the program computed on the CPU, and refused the GPU with a reason of that kind. */
const refuses = (told, reason) =>
  told?.sum === 3 && !told.gpu.available && reason.test(told.gpu.reason) && told.refused.includes(told.gpu.reason);

// A machine with a GPU answers with it; one without says why, and computes on.
const { told, output } = ask();
const right = (told?.sum === 3 && told.gpu.available) || refuses(told, /driver/);
if (right && !told.gpu.available) say(`no GPU here: ${told.gpu.reason}`);
check('loading the module', right ? [] : [output]);

// A driver that knows CUDA 11.4, before the system's own.
const drivers = fs.mkdtempSync(path.join(os.tmpdir(), 'athanor-driver-'));
const driver = path.join(drivers, 'driver.cc');
fs.writeFileSync(
  driver,
  'extern "C" int cuInit(unsigned) { return 0; }\nextern "C" int cuDriverGetVersion(int* v) { return *v = 11040, 0; }\n',
);
run(process.env.CXX || 'c++', ['-shared', '-fPIC', '-o', path.join(drivers, 'libcuda.so.1'), driver]);
const old = ask({ LD_LIBRARY_PATH: drivers });
fs.rmSync(drivers, { recursive: true });
const tooOld = /^the NVIDIA driver is too old: it knows CUDA 11\.4, and this module needs CUDA \d+\.0 or newer$/;
check('a driver that is too old', refuses(old.told, tooOld) ? [] : [old.output]);

// What nvcc made of the kernels, executed.
const coverage = path.join(root, 'build/ptx-coverage.txt');
fs.rmSync(coverage, { force: true });
const env = {
  ATHANOR_CUDA_MODULE: path.join(root, 'build/cmake/athanor_cuda_ptx.so'),
  ATHANOR_PTX_COVERAGE: coverage,
};
const thorough = process.argv.includes('--all');
const patience = ['--testTimeout=300000'];
const forward = { ATHANOR_TEST_CHECK: 'forward' };
// Where each tensor is an allocation of its own, an access past its end is found; how memory is shared is another test.
const exact = { ATHANOR_DEVICE_CACHE: '0' };
let executed = add(
  runJest(['test/device/devices', ...patience], { env }),
  runJest(['test/device', '--testPathIgnorePatterns=devices', ...patience], {
    env: { ...env, ...exact, ...(thorough ? {} : forward) },
  }),
);
for (let schedule = 1; thorough && schedule < 5; schedule++) {
  say(`test/device under schedule ${schedule}, copies landing when they are waited for`);
  const other = {
    ATHANOR_SIMULATED_SCHEDULE: String(schedule),
    ATHANOR_SIMULATED_LANDING: 'wait',
  };
  executed = add(
    executed,
    runJest(['test/device/rows', ...patience], { env: { ...env, ...exact, ...forward, ...other } }),
  );
}
const seen = new Map(); // of each kernel: its instructions, and how many of them were executed
const lines = fs.existsSync(coverage) ? fs.readFileSync(coverage, 'utf8').split('\n').filter(Boolean) : [];
for (const line of lines) {
  const [done, count, name] = line.split(' ');
  seen.set(name, { done: Math.max(Number(done), seen.get(name)?.done ?? 0), count: Number(count) });
}
const ran = [...seen.values()].filter(({ done }) => done > 0);
const sum = (list, key) => list.reduce((n, k) => n + k[key], 0);
say(
  `PTX: ${ran.length} of ${seen.size} kernels were executed, and ${sum(ran, 'done')} of their ${sum(ran, 'count')} instructions`,
);
check('PTX that can be executed', [...new Set(lines.filter((line) => line.startsWith('?')))]);
check('kernels of PTX', ran.length > 0 ? [] : ['none was executed']);
finish(add(counts, executed));
