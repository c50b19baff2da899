import { sizesCheck } from './checks/sizes.js';
import { everyRow } from './suite.js';

everyRow(sizesCheck);
