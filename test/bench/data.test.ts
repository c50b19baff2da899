import { spawnSync } from 'node:child_process';
import * as path from 'node:path';
import { cases } from '../../benchmarks/cases/index.js';
import { differenceOf, elementsOf, hash, stepOf } from '../../benchmarks/data.js';
import { parseOptions } from '../../benchmarks/options.js';

test('names of cases are unique, and each group has cases for a quick run', () => {
  const names = cases.map((c) => c.name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  const quick = new Set(cases.filter((c) => c.quick).map((c) => c.group));
  expect([...new Set(cases.map((c) => c.group))].filter((group) => !quick.has(group))).toEqual([]);
});

test('data lies in its range, differs by seed, and repeats', () => {
  const a = elementsOf({ shape: [1000], low: -3, high: 2 }, 0);
  expect(Math.min(...a)).toBeGreaterThanOrEqual(-3);
  expect(Math.max(...a)).toBeLessThan(2);
  expect(Math.abs([...a].reduce((s, x) => s + x, 0) / 1000 + 0.5)).toBeLessThan(0.2);
  expect(elementsOf({ shape: [1000], low: -3, high: 2 }, 0)).toEqual(a);
  expect(elementsOf({ shape: [1000], low: -3, high: 2 }, 1)).not.toEqual(a);
  const indices = elementsOf({ shape: [500], dtype: 'int32', high: 7 }, 3);
  expect(new Set(indices)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6]));
  expect(hash(1, 0)).toBe(hash(1, 0));
});

/** Without it the peers in Python are absent as well, and there is nothing to agree with. */
const withNumpy = spawnSync('python3', ['-c', 'import numpy']).status === 0;
const testWithNumpy = withNumpy ? test : test.skip;

testWithNumpy('Python makes the same numbers', () => {
  const specs = [
    { shape: [5, 7], low: -4, high: 4 },
    { shape: [9], dtype: 'int32' as const, high: 1000 },
    { shape: [33], dtype: 'bool' as const },
    { shape: [6], dtype: 'float64' as const },
  ];
  const folder = path.join(__dirname, '..', '..', 'benchmarks', 'peers');
  const program = `import sys, json; sys.path.insert(0, ${JSON.stringify(folder)}); from data import elements
print(json.dumps([elements(s, i).astype(float).reshape(-1).tolist() for i, s in enumerate(json.loads(sys.argv[1]))]))`;
  const { stdout } = spawnSync('python3', ['-c', program, JSON.stringify(specs)], { encoding: 'utf8' });
  expect(JSON.parse(stdout)).toEqual(specs.map((spec, i) => [...elementsOf(spec, i)]));
});

test('results are compared relative to the largest value; what is no number differs', () => {
  expect(differenceOf([1, 2], [1, 2])).toBe(0);
  expect(differenceOf([1, 100.1], [1, 100])).toBeCloseTo(0.001, 6);
  expect(differenceOf([1], [1, 2])).toBe(Number.POSITIVE_INFINITY);
  expect(differenceOf([Number.NaN], [1])).toBeNaN();
  expect(stepOf(1 << 20)).toBe(1);
  expect(stepOf(1 << 26) % 2).toBe(1);
});

test('options name groups and peers', () => {
  const options = parseOptions(['--only', 'gemm,conv', '--quick', '--peers', 'torch,blas', '--threads', '3']);
  expect(options).toMatchObject({ only: ['gemm', 'conv'], quick: true, peers: ['torch', 'blas'], threads: 3 });
  expect(parseOptions(['--peers', 'none']).peers).toEqual([]);
  expect(parseOptions([]).peers).toEqual(['torch', 'ort', 'tfjs', 'blas']);
});
