import { trainGpt, trainGpt2 } from './gpt.js';
import type { Job } from './job.js';
import { trainLenet5 } from './lenet5.js';
import { trainLstm } from './lstm.js';
import { inferMlp, trainMlp, trainTiny } from './mlp.js';
import { inferResnet18, trainResnet20, trainResnet50 } from './resnet.js';

/** The jobs, in the order of the tables. */
export const jobs: readonly Job[] = [
  trainTiny,
  trainMlp,
  trainLenet5,
  trainResnet20,
  trainLstm,
  trainGpt,
  inferResnet18,
  inferMlp,
  trainResnet50,
  trainGpt2,
];
