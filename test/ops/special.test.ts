import { special } from './checks/special.js';
import { everyRow } from './suite.js';

everyRow(special);
