// Trailing options objects: whatever takes one, function or constructor, checks and reads it with these.
import { fail, show } from './errors.js';

/**
 * Throws unless `options` is an object that has none but the `known` keys: an option that was misspelt, or that another
 * library calls so, must not be ignored. Returns it. A loop over the keys, with no list made: this runs with every call.
 */
export function checkOptions<T extends object>(
  op: string,
  options: T,
  known: readonly (keyof T & string)[],
  what = 'options',
): T {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    fail(op, `${what} must be an object`, show(options));
  }
  for (const key in options) if (!known.includes(key)) unknownOption(op, key, options[key], known);
  return options;
}

function unknownOption(op: string, key: string, value: unknown, known: readonly string[]): never {
  const all = known.length === 0 ? 'there are none' : `known ones are ${known.join(', ')}`;
  return fail(op, `there is no option ${key}; ${all}`, show(value));
}

/** The defaults with what a caller gave in their place; an option that is undefined counts as not given. */
export function withDefaults<D extends object, O extends object>(
  defaults: D,
  options: O,
): D & { [K in keyof O]: K extends keyof D ? Exclude<O[K], undefined> : O[K] } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) } as never;
}

/** A true or false option. Throws for anything else. */
export function checkFlag(op: string, what: string, value: unknown): boolean {
  return typeof value === 'boolean' ? value : fail(op, `${what} must be true or false`, show(value));
}
