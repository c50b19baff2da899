'use strict';
// The npm packages: whether node_modules is what package-lock.json asks for, and `npm ci` where it is not.
const fs = require('node:fs');
const path = require('node:path');
const { root, fail, run, say } = require('./run.js');
const { requireNativeTools } = require('./tools.js');

function packagesOf(lockFile) {
  try {
    return JSON.parse(fs.readFileSync(path.join(root, lockFile), 'utf8')).packages;
  } catch {
    return null;
  }
}

/** Compares contents, since a checkout and a copy both change file times. Optional packages may be another system's. */
function packagesAreInstalled() {
  const wanted = packagesOf('package-lock.json');
  const present = packagesOf('node_modules/.package-lock.json'); // npm's own record of what it installed
  if (!wanted || !present) return false;
  return Object.entries(wanted).every(([where, { version, optional }]) => {
    if (where === '') return true;
    return present[where] ? present[where].version === version : optional === true;
  });
}

/** Without install scripts: no development tool needs one, and ours only tells a checkout to build. */
function ensurePackages() {
  if (packagesAreInstalled()) return;
  requireNativeTools(); // what comes next would need them, and npm ci takes a while
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  say('installing npm packages (npm ci)');
  run(npm, ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { shell: process.platform === 'win32' });
  if (!packagesAreInstalled()) fail('npm ci ended, but node_modules is not what package-lock.json asks for');
}

module.exports = { ensurePackages };
