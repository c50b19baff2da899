import { gradient } from './checks/gradient.js';
import { everyRow } from './suite.js';

everyRow(gradient);
