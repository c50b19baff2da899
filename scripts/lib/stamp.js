'use strict';
// Whether a build is up to date: a hash over the contents of its inputs, kept in build/stamps/NAME.
const fs = require('node:fs');
const path = require('node:path');
const { createHash } = require('node:crypto');
const { root } = require('./run.js');

function files(entry) {
  const full = path.join(root, entry);
  const stat = fs.statSync(full, { throwIfNoEntry: false });
  if (!stat) return [];
  if (!stat.isDirectory()) return [entry];
  return fs
    .readdirSync(full)
    .filter((name) => name !== 'node_modules')
    .sort()
    .flatMap((name) => files(path.join(entry, name)));
}

/** @param inputs files and folders, relative to the root; @param extra anything else that the result depends on */
function hashOf(inputs, extra = []) {
  const hash = createHash('sha256').update(JSON.stringify(extra));
  for (const file of inputs.flatMap(files)) hash.update(`\0${file}\0`).update(fs.readFileSync(path.join(root, file)));
  return hash.digest('hex');
}

const stampFile = (name) => path.join(root, 'build', 'stamps', name);

/** True when `outputs` exist and the stamp `name` holds `hash`. */
function isFresh(name, hash, outputs) {
  if (!outputs.every((file) => fs.existsSync(path.join(root, file)))) return false;
  return fs.existsSync(stampFile(name)) && fs.readFileSync(stampFile(name), 'utf8') === hash;
}

function markFresh(name, hash) {
  fs.mkdirSync(path.dirname(stampFile(name)), { recursive: true });
  fs.writeFileSync(stampFile(name), hash);
}

module.exports = { hashOf, isFresh, markFresh };
