import { layoutsCheck } from './checks/layouts.js';
import { everyRow } from './suite.js';

everyRow(layoutsCheck);
