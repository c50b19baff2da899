import { inPlace } from './checks/in-place.js';
import { everyRow } from './suite.js';

everyRow(inPlace);
