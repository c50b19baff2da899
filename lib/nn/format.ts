// Modules as text: what console.log shows of them.
import { formatShape } from '../shape.js';
import { childrenOf } from './members.js';
import type { AnyModule } from './module.js';

/** The module as a constructor call, those below it indented under their names. */
export function formatModule(module: AnyModule, path: readonly AnyModule[] = []): string {
  const head = `${module.constructor.name}(${module.extraRepr()})`;
  if (path.includes(module)) return `${head} [circular]`;
  const lines = childrenOf(module).map(
    ({ name, value }) => `  ${name}: ${formatModule(value, [...path, module]).replaceAll('\n', '\n  ')}`,
  );
  return lines.length === 0 ? head : `${head} {\n${lines.join('\n')}\n}`;
}

function same(a: unknown, b: unknown): boolean {
  return String(a) === String(b);
}

function value(v: unknown): string {
  if (Array.isArray(v)) {
    const pair = v.length > 0 && v.every((item) => item === v[0]);
    return pair ? String(v[0]) : formatShape(v);
  }
  return typeof v === 'string' ? `'${v}'` : String(v);
}

/** Constructor arguments as they would be written: those in order, then the options that differ from their defaults. */
export function formatArguments(
  args: readonly unknown[],
  options: Readonly<Record<string, unknown>> = {},
  defaults: Readonly<Record<string, unknown>> = {},
): string {
  const changed = Object.keys(options).filter(
    (key) => options[key] !== undefined && !same(options[key], defaults[key]),
  );
  const shown = args.map(value);
  if (changed.length > 0) shown.push(`{ ${changed.map((key) => `${key}: ${value(options[key])}`).join(', ')} }`);
  return shown.join(', ');
}
