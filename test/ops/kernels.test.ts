import { kernels } from './checks/kernels.js';
import { everyRow } from './suite.js';

everyRow(kernels);
