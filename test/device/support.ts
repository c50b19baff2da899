// Tests of this folder run CUDA kernels on the simulator, unless ATHANOR_CUDA_MODULE names another module. Imported first:
// the addon opens a module when it is first asked for a device.
import * as path from 'node:path';

process.env.ATHANOR_CUDA_MODULE ??= path.resolve(__dirname, '../../build/cmake/athanor_cuda_simulated.so');

/** Whether it is the one of nvcc's PTX, executed on the processor (npm run test:cuda). */
export const executed = process.env.ATHANOR_CUDA_MODULE.includes('cuda_ptx');

/** Whether kernels run on the processor, whose memory and chip are known. */
export const simulated = executed || process.env.ATHANOR_CUDA_MODULE.includes('simulated');
