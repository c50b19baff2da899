// What a run measures: the cases and jobs that its options name, without those that an earlier run has done.
import * as fs from 'node:fs';
import type { Case, Group } from './case.js';
import { cases } from './cases/index.js';
import { commit } from './commit.js';
import { jobs } from './jobs/index.js';
import type { Job } from './jobs/job.js';
import type { BenchOptions } from './options.js';
import { onLadder } from './report/ladder.js';
import { type Report, readReport } from './report/report.js';

/** The cases and jobs that the options name, in the order of the tables. */
export function chosen({ only, match, quick: short, ladder, device, precision }: BenchOptions): (Case | Job)[] {
  const wanted = (work: Case | Job, group: Group) => {
    if (only.length > 0 && !only.includes(group)) return false;
    if (match !== undefined && !work.name.includes(match)) return false;
    if (work.gpu === true && device === 'cpu') return false;
    return !ladder || onLadder({ group, name: work.name, work: work.work }, precision);
  };
  // A processor runs the small form of a job where it is named.
  const sized = jobs.map((job) => ((short || device === 'cpu') && job.small !== undefined ? job.small : job));
  return [
    ...cases.filter((c) => wanted(c, c.group) && (!short || c.quick === true || match !== undefined)),
    ...sized.filter((job, i) => wanted(job, 'jobs') && (job === jobs[i] || device !== 'cpu' || match !== undefined)),
  ];
}

/** Results of an earlier run that this one goes on with. Throws where they are of something else. */
export function resumed({ json, resume, device, precision }: BenchOptions): Pick<Report, 'results' | 'seconds'> {
  if (!resume || json === undefined || !fs.existsSync(json)) return { results: [], seconds: 0 };
  const past = readReport(json);
  for (const [what, then, now] of [
    ['commit', past.commit, commit()],
    ['device', past.device, device],
    ['precision', past.precision, precision],
  ]) {
    if (then !== now) throw new Error(`${json} cannot be gone on with: its ${what} is ${then}, not ${now}`);
  }
  return past;
}
