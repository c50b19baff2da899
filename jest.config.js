/** @type {import('jest').Config} */
module.exports = {
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  testEnvironment: '<rootDir>/test/environment.js',
  transform: {
    '^.+\\.[cm]?ts$': ['@swc/jest', require('./scripts/lib/swc.js').options],
  },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' }, // TypeScript sources import './x.js'
  maxWorkers: 1, // the engine's own threads already fill the machine
  workerIdleMemoryLimit: '8GB', // keeps the one worker a child process: a native crash fails one file, not the whole run
  testTimeout: 60000,
};
