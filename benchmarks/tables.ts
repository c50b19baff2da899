// npm run bench:tables: brings the tables of README.md and docs/performance.md, the plot and the page up to date with the
// committed report.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { writeWhole } from './files.js';
import { committedReport, documents } from './report/committed.js';
import { htmlPage } from './report/html.js';
import { fillTables } from './report/markdown.js';
import { readReport } from './report/report.js';
import { drawRoofline } from './report/roofline-plot.js';
import { root } from './root.js';

async function main(): Promise<void> {
  const file = path.join(root, committedReport);
  const report = readReport(file);
  for (const name of documents) {
    const document = path.join(root, name);
    const text = fs.readFileSync(document, 'utf8');
    const filled = fillTables(text, report);
    if (filled !== text) writeWhole(document, filled);
    console.log(`${name}: ${filled === text ? 'was up to date' : 'written'}`);
  }
  writeWhole(file.replace(/json$/, 'svg'), await drawRoofline(report));
  writeWhole(file.replace(/json$/, 'html'), await htmlPage(report));
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
