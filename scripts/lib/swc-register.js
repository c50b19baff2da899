'use strict';
// `node -r ./scripts/lib/swc-register.js program.ts`
require('./swc.js').hookRequire();
