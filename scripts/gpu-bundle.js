'use strict';
// `npm run gpu:bundle`: packs what `npm run gpu` needs into .gpu/, for a machine that has a GPU but neither Node, nor a
// compiler, nor a network: Node itself, what was built here, and the packages that run (those that check or compile the
// sources are two thirds of node_modules). The packing is a script beside the project (--packer names another); it packs
// the repository that it stands in, so a bare one is made for it.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { prepare } = require('./lib/prepare.js');
const { root, fail, run, say, firstLine, parseOptions } = require('./lib/run.js');

const BUILT = ['dist', 'build/Release', 'build/benchmarks', 'build/examples'];
const NOT_RUN = ['@biomejs', 'clang-format-node', 'typescript', '.cache', '.bin'];

const options = parseOptions(__filename, {
  packer: { type: 'string', default: path.join(root, '../shared/gpu/bundle.sh') },
});
if (!fs.existsSync(options.packer)) fail(`there is no ${options.packer}; --packer names the script that packs`);
if (process.platform !== 'linux') fail('what is built here runs on this system, and the bundle is for Linux');
prepare();

const stage = fs.mkdtempSync(path.join(os.tmpdir(), 'athanor-gpu-'));
const copy = (from, to, filter) => fs.cpSync(from, to, { recursive: true, dereference: true, filter });
try {
  for (const name of BUILT) copy(path.join(root, name), path.join(stage, name));
  const packages = fs.realpathSync(path.join(root, 'node_modules'));
  const left = new Set(NOT_RUN.map((name) => path.join(packages, name)));
  copy(packages, path.join(stage, 'node_modules'), (file) => !left.has(file));
  fs.mkdirSync(path.join(stage, 'build/gpu'));
  const changed = firstLine('git', ['status', '--porcelain', '--untracked-files=no']) ? '+' : '';
  fs.writeFileSync(
    path.join(stage, 'build/gpu/commit'),
    `${firstLine('git', ['rev-parse', 'HEAD']) ?? 'unknown'}${changed}\n`,
  );
  // Node's own archive takes a minute to make, and stays the same.
  const archive = path.join(root, '.gpu/node.xz');
  if (fs.existsSync(archive)) copy(archive, path.join(stage, '.gpu/node.xz'));
  run('git', ['init', '--quiet'], { cwd: stage });
  run('bash', [options.packer, ...BUILT, 'build/gpu/commit'], { cwd: stage });
  fs.rmSync(path.join(root, '.gpu'), { recursive: true, force: true });
  copy(path.join(stage, '.gpu'), path.join(root, '.gpu'));
} finally {
  fs.rmSync(stage, { recursive: true, force: true });
}
say('packed into .gpu; there: . .gpu/env.sh && ATHANOR_GPU_BUILT=1 node scripts/gpu.js');
