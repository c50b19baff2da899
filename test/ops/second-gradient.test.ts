import { secondGradient } from './checks/gradient.js';
import { everyRow } from './suite.js';

everyRow(secondGradient);
