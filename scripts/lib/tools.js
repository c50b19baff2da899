'use strict';
// What a source build needs from the machine, and how to get it where it is missing.
const { fail, firstLine } = require('./run.js');

const NODE = [20, 17];
const CMAKE = [3, 18];

function versionOf(line) {
  const found = /(\d+)\.(\d+)/.exec(line);
  return found ? [Number(found[1]), Number(found[2])] : [0, 0];
}

const isOlder = ([major, minor], [wantMajor, wantMinor]) =>
  major < wantMajor || (major === wantMajor && minor < wantMinor);

/** The C++ compiler CMake will take: $CXX, else c++, g++ or clang++; null when there is none. */
function compiler() {
  const named = process.env.CXX?.trim().split(/\s+/);
  if (named?.[0]) return firstLine(named[0], [...named.slice(1), '--version']) ? named.join(' ') : null;
  return ['c++', 'g++', 'clang++'].find((name) => firstLine(name)) ?? null;
}

function requireNode() {
  if (isOlder(versionOf(process.versions.node), NODE)) {
    fail(
      `Node.js >= ${NODE.join('.')} is needed, this is ${process.versions.node}: see https://nodejs.org/en/download`,
    );
  }
}

/** Ends with one message that names every missing tool. Windows finds its compiler without PATH, so CMake reports there. */
function requireNativeTools() {
  const missing = [];
  const cmake = firstLine('cmake');
  if (!cmake) missing.push(`CMake >= ${CMAKE.join('.')} was not found`);
  else if (isOlder(versionOf(cmake), CMAKE)) missing.push(`CMake >= ${CMAKE.join('.')} is needed, found ${cmake}`);
  if (process.platform !== 'win32' && !compiler()) {
    const named = process.env.CXX ? ` (CXX=${process.env.CXX} cannot be run)` : ' (c++, g++ or clang++)';
    missing.push(`no C++17 compiler was found${named}`);
  }
  if (process.platform !== 'win32' && !['ninja', 'make', 'gmake'].some((name) => firstLine(name))) {
    missing.push('neither ninja nor make was found');
  }
  if (missing.length === 0) return;
  const how = {
    linux:
      'Debian, Ubuntu: sudo apt-get install cmake g++ make; Fedora: sudo dnf install cmake gcc-c++ make; Alpine: apk add cmake g++ make',
    darwin: 'xcode-select --install; brew install cmake',
    win32: 'winget install Kitware.CMake Microsoft.VisualStudio.2022.BuildTools (with the C++ workload)',
  };
  fail(
    `the native half cannot be built: ${missing.join('; ')}\n  How to get it: ${how[process.platform] ?? 'https://cmake.org/download'}`,
  );
}

module.exports = { requireNode, requireNativeTools };
