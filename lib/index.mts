// One implementation (CommonJS, index.ts). This entry only re-exports it, so that Tensor is one class whether it came by
// import or by require.
export * from './index.js';
