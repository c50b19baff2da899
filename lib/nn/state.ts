// Loading a state dict: everything is checked before anything is written.
import { withModes } from '../context.js';
import { fail } from '../errors.js';
import { namedTensors } from '../named.js';
import { formatShape, sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { allState, type State } from './members.js';
import type { AnyModule } from './module.js';
import { Buffer } from './parameter.js';

/** What loading found to differ. */
export interface LoadReport {
  /** Names the module has and the dict lacks. */
  readonly missing: string[];
  /** Names the dict has and the module lacks. */
  readonly unexpected: string[];
}

/** Why a tensor cannot be copied into a place, or null. */
function misfit(name: string, own: State, given: Tensor): string | null {
  if (!sameShape(own.shape, given.shape)) {
    return `${name} is ${formatShape(given.shape)}, the module's is ${formatShape(own.shape)}`;
  }
  // Fractions would be cut off without a word.
  if (given.isFloat && !own.isFloat) return `${name} is ${given.dtype}, the module's is ${own.dtype}`;
  return null;
}

function listed(title: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [`\n  ${title}: ${items.join(title === 'different' ? '; ' : ', ')}`];
}

/** Copies a state dict into a module; see Module.loadStateDict. */
export function loadState(module: AnyModule, dict: unknown, strict: boolean): LoadReport {
  const entries = namedTensors('loadStateDict', dict);
  const own = new Map(
    allState(module)
      .filter(({ value }) => !(value instanceof Buffer) || value.persistent)
      .map(({ name, value }) => [name, value]),
  );
  const missing = [...own.keys()].filter((name) => !entries.has(name));
  const unexpected = [...entries.keys()].filter((name) => !own.has(name));
  const different: string[] = [];
  for (const [name, target] of own) {
    const given = entries.get(name);
    const why = given === undefined ? null : misfit(name, target, given);
    if (why !== null) different.push(why);
    if (target.disposed) fail('loadStateDict', "the module's tensor was disposed of", `${name} ${target.describe()}`);
  }
  if (different.length > 0 || (strict && missing.length + unexpected.length > 0)) {
    const named = (names: readonly string[], from: ReadonlyMap<string, Tensor>) =>
      names.map((name) => `${name} ${formatShape((from.get(name) as Tensor).shape)}`);
    const problems = [
      ...listed('missing', strict ? named(missing, own) : []),
      ...listed('unexpected', strict ? named(unexpected, entries) : []),
      ...listed('different', different),
    ];
    fail('loadStateDict', `the state does not fit ${module.constructor.name}, nothing was loaded`, problems.join(''));
  }
  withModes({ grad: false }, () => {
    for (const [name, target] of own) {
      const given = entries.get(name);
      if (given !== undefined) target.copy_(given);
    }
  });
  return { missing, unexpected };
}
