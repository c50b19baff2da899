/** The report that the documents show, relative to the checkout. */
export const committedReport = 'benchmarks/results/full.json';

/** The documents with tables made from it. */
export const documents: readonly string[] = ['README.md', 'docs/performance.md'];
