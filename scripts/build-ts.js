'use strict';
// `npm run build:ts`: compiles the TypeScript half where it is stale.
require('./lib/tools.js').requireNode();
require('./lib/typescript.js').buildTypeScript();
