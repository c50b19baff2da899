// Imported last: every row is declared by now, and the two op tables must agree.
import './exit.js';
import { checkOpTable } from './native.js';

checkOpTable();
