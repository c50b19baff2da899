/** Everything athanor throws or rejects with: `op: what is wrong: what was given`. */
export class AthanorError extends Error {
  override readonly name = 'AthanorError';
}

/** Throws an {@link AthanorError} that names the operation, what is wrong with the call, and what was given. */
export function fail(op: string, wrong: string, given?: string): never {
  const error = new AthanorError(given === undefined ? `${op}: ${wrong}` : `${op}: ${wrong}: ${given}`);
  Error.captureStackTrace(error, fail);
  throw error;
}

/** A message that names one operation, as one that names another; others stay as they are. */
export const renamed = (message: string, op: string, name: string): string =>
  message.startsWith(`${op}: `) ? name + message.slice(op.length) : message;

/** How a value that should not be there is shown in a message: short, and with its type where that is the mistake. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (Array.isArray(value)) {
    const head = value.slice(0, 8).map((v) => (Array.isArray(v) ? '[...]' : show(v)));
    return `[${head.join(', ')}${value.length > 8 ? ', ...' : ''}]`;
  }
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${value.byteLength} bytes`;
  if (typeof value === 'object' && value !== null) return value.constructor?.name ?? 'object';
  return String(value);
}
