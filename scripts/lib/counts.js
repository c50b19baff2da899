'use strict';
// Counting tests: every test command ends with `N passed, N failed` (`, N skipped`), and sums are made from such lines.
const LINE = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm;

const NONE = { passed: 0, failed: 0, skipped: 0 };

function add(a, b) {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

function format({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** The last count line of a program's output; a program that prints none, or fails without naming a failure, failed once. */
function countsOf(output, status) {
  const found = [...output.matchAll(LINE)].pop();
  const counts = found ? { passed: +found[1], failed: +found[2], skipped: +(found[3] ?? 0) } : NONE;
  return counts.failed === 0 && (status !== 0 || !found) ? { ...counts, failed: 1 } : counts;
}

/** Prints the sum as the last line and ends the process: non-zero after any failure. */
function finish(counts) {
  console.log(format(counts));
  process.exit(counts.failed > 0 ? 1 : 0);
}

module.exports = { NONE, add, countsOf, finish };
