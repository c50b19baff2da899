// The cases and jobs that TensorFlow.js runs; tfjs-peer.ts has each of them.

/** Works of single ops. */
export const caseWorks: readonly string[] = [
  'matmul',
  'conv2d',
  'add',
  'sub',
  'mul',
  'div',
  'exp',
  'log',
  'sqrt',
  'relu',
  'sigmoid',
  'tanh',
  'sum',
  'softmax',
];

/** Works of jobs: those whose gradients the WebAssembly backend has. */
export const jobWorks: readonly string[] = ['tiny', 'mlp', 'mlp1'];
