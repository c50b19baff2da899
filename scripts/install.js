'use strict';
// npm runs this after it has put the package in place. Where a prebuilt binary loads there is nothing to do (npm 12 blocks
// this script, and nothing is lost); elsewhere the native half is compiled from the sources in the package.
const fs = require('node:fs');
const path = require('node:path');
const { requireNode } = require('./lib/tools.js');
const { root, say } = require('./lib/run.js');

function loads() {
  try {
    require('node-gyp-build')(root);
    return true;
  } catch {
    return false;
  }
}

requireNode();
const isCheckout = fs.existsSync(path.join(root, 'lib')); // npm run build is its way
if (!isCheckout && !loads()) {
  say(`no prebuilt binary fits ${process.platform}-${process.arch}, node ${process.versions.node}: compiling one`);
  require('./lib/native.js').buildNative();
}
