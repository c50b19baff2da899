import { leaks } from './checks/leaks.js';
import { everyRow } from './suite.js';

everyRow(leaks);
