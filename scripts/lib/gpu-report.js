'use strict';
// The report of `npm run gpu`: parts that are run on their own, perhaps on different days of a machine that is lent for
// minutes, and come together in one file.
const fs = require('node:fs');
const path = require('node:path');

/** The report in a file, or {} where there is none. */
function readReport(file) {
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
}

/** Whole or not at all. */
function writeReport(file, report) {
  fs.mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
  fs.writeFileSync(`${file}.tmp`, `${JSON.stringify(report, null, 2)}\n`);
  fs.renameSync(`${file}.tmp`, file);
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Results by name: the later one of each, in the order in which they first came. */
function mergeResults(older, newer) {
  const later = new Map(newer.map((result) => [result.name, result]));
  const known = new Set(older.map(({ name }) => name));
  return [...older.map((result) => later.get(result.name) ?? result), ...newer.filter(({ name }) => !known.has(name))];
}

/** Two runs of one kind of benchmarks. Of one run, as it was earlier and later, what comes later is all of it. */
function mergeBenchmarks(older, newer) {
  if (older.run !== undefined && older.run === newer.run) return newer;
  const results = mergeResults(older.results, newer.results);
  return {
    ...older,
    ...newer,
    groups: [...new Set(results.map(({ group }) => group))],
    results,
    seconds: older.seconds + newer.seconds,
  };
}

/** What makes two reports ones of different things, in words; null: nothing. A file that mixes them would be nobody's. */
function differenceOf(older, newer) {
  if (Object.keys(older).length === 0) return null;
  const gpu = (report) => report.gpus?.map(({ name }) => name).join(', ');
  for (const [what, of] of [
    ['commit', (report) => report.commit],
    ['GPU', gpu],
  ]) {
    if (of(older) !== of(newer)) return `results of another ${what}: ${of(older)}, not ${of(newer)}`;
  }
  return null;
}

/** Two reports of one GPU and one commit as one: of what both have, the newer. */
function mergeReports(older, newer) {
  const merged = { ...older, ...newer };
  for (const key of ['tests', 'training', 'benchmarks', 'sanitizer']) {
    if (isObject(older[key]) && isObject(newer[key])) merged[key] = { ...older[key], ...newer[key] };
  }
  for (const part of Object.keys(older.benchmarks ?? {})) {
    const later = newer.benchmarks?.[part];
    if (later) merged.benchmarks[part] = mergeBenchmarks(older.benchmarks[part], later);
  }
  return merged;
}

module.exports = { readReport, writeReport, mergeReports, differenceOf };
