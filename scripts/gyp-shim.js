#!/usr/bin/env node
'use strict';
// Stands in for node-gyp under prebuildify (PREBUILD_NODE_GYP), which calls `rebuild --target= --arch= --release`. The real
// one would ask for Python and for Node's own headers, and our build uses neither.
const { buildNative } = require('./lib/native.js');

const arch = process.argv.find((arg) => arg.startsWith('--arch='));
buildNative({ arch: arch?.slice('--arch='.length) });
