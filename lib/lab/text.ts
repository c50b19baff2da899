// Numbers and tables as people read them.

/** `12.3 us`: seconds in the unit that leaves one to three digits before the point. */
export function formatTime(seconds: number): string {
  if (!(seconds > 0)) return '0 s';
  const [scale, unit] =
    seconds < 1e-6 ? [1e9, 'ns'] : seconds < 1e-3 ? [1e6, 'us'] : seconds < 1 ? [1e3, 'ms'] : [1, 's'];
  return `${formatNumber(seconds * scale)} ${unit}`;
}

/** `1.23 GB`: an amount of a unit with the prefix that leaves one to three digits before the point. */
export function formatAmount(amount: number, unit = ''): string {
  const [scale, prefix] =
    amount < 1e3
      ? [1, '']
      : amount < 1e6
        ? [1e3, 'k']
        : amount < 1e9
          ? [1e6, 'M']
          : amount < 1e12
            ? [1e9, 'G']
            : [1e12, 'T'];
  return `${formatNumber(amount / scale)} ${prefix}${unit}`.trimEnd();
}

/** Three significant digits, without an exponent. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : String(value);
  const size = Math.abs(value);
  // The limits are where rounding would make one digit more.
  return value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
}

/** Lines of a table: the first column to the left, the others to the right. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[], left = 1): string {
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i < left ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('  ')
      .trimEnd();
  return [line(head), ...rows.map(line)].join('\n');
}
