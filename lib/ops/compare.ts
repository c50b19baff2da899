// Comparisons and logic, elementwise with broadcasting: bool results, which no gradient flows through.
import { type Binary, binary, type Unary, unary } from './make/elementwise.js';

function comparison(name: string, ref: (a: number, b: number) => boolean): Binary {
  return binary(name, { accepts: 'all', toBool: true, ref: ([a, b]) => Number(ref(a, b)) }).run;
}

function predicate(name: string, ref: (x: number) => boolean): Unary {
  return unary(name, { accepts: 'all', toBool: true, ref: ([x]) => Number(ref(x)) });
}

/** Whether a = b, elementwise with broadcasting: a bool tensor. nan equals nothing. Throws when shapes do not broadcast. */
export const eq: Binary = comparison('eq', (a, b) => a === b);

/** Whether a and b differ, elementwise with broadcasting: a bool tensor. Throws when the shapes do not broadcast. */
export const ne: Binary = comparison('ne', (a, b) => a !== b);

/** Whether a < b, elementwise with broadcasting: a bool tensor. Throws when the shapes do not broadcast. */
export const lt: Binary = comparison('lt', (a, b) => a < b);

/** Whether a <= b, elementwise with broadcasting: a bool tensor. Throws when the shapes do not broadcast. */
export const le: Binary = comparison('le', (a, b) => a <= b);

/** Whether a > b, elementwise with broadcasting: a bool tensor. Throws when the shapes do not broadcast. */
export const gt: Binary = comparison('gt', (a, b) => a > b);

/** Whether a >= b, elementwise with broadcasting: a bool tensor. Throws when the shapes do not broadcast. */
export const ge: Binary = comparison('ge', (a, b) => a >= b);

/** Whether both are true, that is not 0, elementwise with broadcasting. Throws when the shapes do not broadcast. */
export const logicalAnd: Binary = comparison('logicalAnd', (a, b) => a !== 0 && b !== 0);

/** Whether at least one is true, that is not 0, elementwise with broadcasting. Throws when shapes do not broadcast. */
export const logicalOr: Binary = comparison('logicalOr', (a, b) => a !== 0 || b !== 0);

/** Whether exactly one is true, that is not 0, elementwise with broadcasting. Throws when the shapes do not broadcast. */
export const logicalXor: Binary = comparison('logicalXor', (a, b) => (a !== 0) !== (b !== 0));

/** Whether x is 0 (false), elementwise: a bool tensor. */
export const logicalNot: Unary = predicate('logicalNot', (x) => x === 0);

/** Whether x is not a number, elementwise: a bool tensor. */
const notANumber: Unary = predicate('isNaN', Number.isNaN);

/** Whether x is neither infinite nor nan, elementwise: a bool tensor. */
const finite: Unary = predicate('isFinite', Number.isFinite);

// Declared under other names: inside this file the globals keep their meaning.
export { finite as isFinite, notANumber as isNaN };
