'use strict';
// Whatever is missing before anything of a checkout can run: npm packages, the native half, the TypeScript half.
const { requireNode } = require('./tools.js');
requireNode(); // before anything is loaded that an old Node does not know

const { ensurePackages } = require('./packages.js');
const { buildNative } = require('./native.js');
const { buildTypeScript } = require('./typescript.js');

function prepare({ targets = ['athanor'] } = {}) {
  ensurePackages();
  buildNative({ targets });
  buildTypeScript();
}

module.exports = { prepare };
