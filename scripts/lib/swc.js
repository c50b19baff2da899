'use strict';
// TypeScript compiled in memory, one file at a time, as it is required: for jest and for the development tools that read
// the sources themselves. Types are checked by `npm run types` alone.

/** How every TypeScript file of this checkout is compiled in memory. */
const options = {
  jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
  module: { type: 'commonjs' },
  sourceMaps: 'inline',
};

/** From here on `require` takes TypeScript files, whose own imports name them `./x.js`. */
function hookRequire() {
  const fs = require('node:fs');
  const Module = require('node:module');
  const path = require('node:path');
  const { transformFileSync } = require('@swc/core');

  process.setSourceMapsEnabled(true);
  Module._extensions['.ts'] = (module, file) =>
    module._compile(transformFileSync(file, { ...options, swcrc: false }).code, file);
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, parent, ...rest) {
    if (/^\.{1,2}\/.*\.js$/.test(request) && parent?.filename?.endsWith('.ts')) {
      const source = path.resolve(path.dirname(parent.filename), request.replace(/\.js$/, '.ts'));
      if (fs.existsSync(source)) return source;
    }
    return resolve.call(this, request, parent, ...rest);
  };
}

module.exports = { options, hookRequire };
