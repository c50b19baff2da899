import type { Job } from './job.js';

/** The jobs, in the order of the tables. */
export const jobs: readonly Job[] = [];
