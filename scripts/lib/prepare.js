'use strict';
// Whatever is missing before anything of a checkout can run: npm packages, the native half, the TypeScript half.
require('./tools.js').requireNode(); // before anything is loaded that an old Node does not know

const { ensurePackages } = require('./packages.js');
const { buildNative } = require('./native.js');
const { buildTypeScript } = require('./typescript.js');

/** @param native options of buildNative, or null to leave the native half alone */
function prepare({ native = {}, typescript = true } = {}) {
  ensurePackages();
  if (native) buildNative(native);
  if (typescript) buildTypeScript();
}

module.exports = { prepare };
