import { forward } from './checks/forward.js';
import { random } from './checks/random.js';
import { everyRow } from './suite.js';

everyRow(forward, random);
