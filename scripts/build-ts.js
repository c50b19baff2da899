'use strict';
// `npm run build:ts`: compiles the TypeScript half where it is stale.
require('./lib/prepare.js').prepare({ native: null });
