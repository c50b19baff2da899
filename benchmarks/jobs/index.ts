import type { Job } from './job.js';
import { trainLenet5 } from './lenet5.js';
import { trainLstm } from './lstm.js';
import { inferMlp, trainMlp, trainTiny } from './mlp.js';

/** The jobs, in the order of the tables. */
export const jobs: readonly Job[] = [trainTiny, trainMlp, trainLenet5, trainLstm, inferMlp];
