'use strict';
// `npm run prebuild`: prebuilds/<platform>-<arch>/athanor.<libc>.node, what the published package carries. The libc is in
// the name since Alpine would otherwise be offered a binary made for glibc. Beside it cuda/athanor_cuda.so, where nvcc is.
const fs = require('node:fs');
const path = require('node:path');
const { prepare } = require('./lib/prepare.js');
const { root, run, say, packageFile } = require('./lib/run.js');

prepare();
const folder = path.join('prebuilds', `${process.platform}-${process.arch}`);
fs.rmSync(path.join(root, folder), { recursive: true, force: true });
run(process.execPath, [packageFile('prebuildify', 'bin.js'), '--napi', '--strip', '--tag-libc'], {
  env: { ...process.env, PREBUILD_NODE_GYP: path.join(__dirname, 'gyp-shim.js') },
});
for (const name of fs.readdirSync(path.join(root, folder)).filter((n) => n.endsWith('.node'))) {
  const file = path.join(folder, name);
  say(`${file}: ${Math.round(fs.statSync(path.join(root, file)).size / 1024)} KiB`);
  // prebuildify moves the addon out of build/Release; the checkout goes on using its own.
  fs.copyFileSync(path.join(root, file), path.join(root, 'build', 'Release', 'athanor.node'));
}
// The CUDA module, where nvcc built it: the addon looks for it beside itself.
const module_ = path.join(root, 'build', 'Release', 'cuda', 'athanor_cuda.so');
if (fs.existsSync(module_)) {
  const file = path.join(folder, 'cuda', 'athanor_cuda.so');
  fs.mkdirSync(path.join(root, folder, 'cuda'), { recursive: true });
  fs.copyFileSync(module_, path.join(root, file));
  say(`${file}: ${Math.round(fs.statSync(path.join(root, file)).size / 1024)} KiB`);
}
