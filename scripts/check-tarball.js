'use strict';
// `npm run test:tarball`: packs the package and installs it into an empty folder, as on a machine without compiler, Python
// or network, with install scripts blocked; then runs and type-checks the programs of test/consumer against it.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { root, fail, say, run, packageFile } = require('./lib/run.js');
const { finish } = require('./lib/counts.js');

const MAX_PACKAGES = 15;
const MAX_ADDON_MIB = 8;

const work = fs.mkdtempSync(path.join(os.tmpdir(), 'athanor-tarball-'));
process.on('exit', () => fs.rmSync(work, { recursive: true, force: true }));
const at = (...names) => path.join(work, ...names);
const counts = { passed: 0, failed: 0, skipped: 0 };

function check(what, ok, detail = '') {
  counts[ok ? 'passed' : 'failed'] += 1;
  console.log(`${ok ? 'ok' : 'FAILED'}: ${what}${ok || !detail ? '' : `\n${detail}`}`);
}

/** Runs npm, node or a program of the consumer in `folder`, and checks that it ends well (or, with `refused`, says why not). */
function step(what, folder, command, args, { refused, env = bareMachine() } = {}) {
  const result = spawnSync(command, args, { cwd: at(folder), env, encoding: 'utf8' });
  const output = `${result.stdout}${result.stderr}`;
  const ok = refused ? result.status !== 0 && refused.test(output) : result.status === 0;
  check(what, ok, output);
  return result.stdout;
}

/** An environment whose PATH holds node, npm and sh alone, and whose npm has an empty cache and may not use the network. */
function bareMachine() {
  fs.mkdirSync(at('bin'), { recursive: true });
  for (const name of ['node', 'npm', 'sh']) {
    const found = process.env.PATH.split(path.delimiter)
      .map((folder) => path.join(folder, name))
      .find((file) => fs.existsSync(file));
    if (!found) fail(`${name} is not on PATH`);
    if (!fs.existsSync(at('bin', name))) fs.symlinkSync(fs.realpathSync(found), at('bin', name));
  }
  return {
    PATH: at('bin'),
    HOME: work,
    npm_config_cache: at('cache'),
    npm_config_offline: 'true',
    npm_config_audit: 'false',
  };
}

/** Folders of what a consumer gets beside athanor itself, as npm recorded them. */
function runtimeDependencies() {
  const { packages } = JSON.parse(fs.readFileSync(path.join(root, 'node_modules', '.package-lock.json'), 'utf8'));
  return Object.keys(packages).filter(
    (name) => !packages[name].dev && !packages[name].devOptional && !packages[name].optional,
  );
}

/** Tarballs of the package and of its dependencies, so that installing needs no registry. */
function pack() {
  fs.mkdirSync(at('tarballs'));
  const specs = ['.', ...runtimeDependencies().map((folder) => `./${folder}`)];
  run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', at('tarballs'), ...specs]);
  return fs.readdirSync(at('tarballs')).map((name) => at('tarballs', name));
}

function consumer(folder) {
  fs.cpSync(path.join(root, 'test', 'consumer'), at(folder), { recursive: true });
  fs.writeFileSync(at(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true }));
}

function typeCheck(folder, file, compilerOptions) {
  const config = {
    compilerOptions: { strict: true, noEmit: true, target: 'ES2022', types: [], ...compilerOptions },
    files: [file],
  };
  fs.writeFileSync(at(folder, 'tsconfig.json'), JSON.stringify(config));
  step(`types of ${file}, ${compilerOptions.moduleResolution}`, folder, process.execPath, [
    packageFile('typescript', 'bin/tsc'),
  ]);
}

const prebuilt = path.join(root, 'prebuilds', `${process.platform}-${process.arch}`);
if (!fs.existsSync(prebuilt)) fail('there is nothing to pack: run npm run prebuild first');
const tarballs = pack();

say('installing with install scripts blocked');
consumer('blocked');
step('npm install --ignore-scripts', 'blocked', 'npm', ['install', '--ignore-scripts', ...tarballs]);
for (const program of ['train.cjs', 'train.mjs', 'identity.mjs']) step(program, 'blocked', 'node', [program]);
step('npx athanor --help', 'blocked', at('blocked', 'node_modules', '.bin', 'athanor'), ['--help']);
typeCheck('blocked', 'types.mts', { module: 'Node16', moduleResolution: 'Node16' });
typeCheck('blocked', 'types.cts', { module: 'Node16', moduleResolution: 'Node16' });
typeCheck('blocked', 'types.mts', { module: 'ESNext', moduleResolution: 'Bundler' });

const packages = tarballs.length;
check(`${packages} packages, at most ${MAX_PACKAGES}`, packages <= MAX_PACKAGES);
for (const name of fs.readdirSync(prebuilt).filter((n) => n.endsWith('.node'))) {
  const size = fs.statSync(path.join(prebuilt, name)).size / 2 ** 20;
  check(`${name} is ${size.toFixed(2)} MiB, at most ${MAX_ADDON_MIB}`, size <= MAX_ADDON_MIB);
}

say('installing with install scripts allowed');
consumer('allowed');
step('npm install', 'allowed', 'npm', ['install', ...tarballs]);
step('train.cjs', 'allowed', 'node', ['train.cjs']);

say('a machine that no prebuilt binary fits');
const installed = ['allowed', 'node_modules', 'athanor'];
fs.rmSync(at(...installed, 'prebuilds'), { recursive: true });
const rebuild = ['rebuild', 'athanor', '--foreground-scripts'];
step('without a compiler: a clear refusal', 'allowed', 'npm', rebuild, {
  refused: /CMake .* was not found.*no C\+\+17 compiler/s,
});
step('train.cjs without an addon: a clear refusal', 'allowed', 'node', ['train.cjs'], {
  refused: /could not load its native/,
});
if (process.argv.includes('--from-source')) {
  step('with a compiler: it compiles', 'allowed', 'npm', rebuild, {
    env: { ...process.env, npm_config_ignore_scripts: 'false' }, // which this checkout's .npmrc sets
  });
  step('train.cjs on the compiled addon', 'allowed', 'node', ['train.cjs']);
}
finish(counts);
