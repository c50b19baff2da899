// The last sync point: a failure that no read has told must not end as a program that went well.
import { writeSync } from 'node:fs';
import { synchronize, takeFailure } from './read.js';

function tell(failure: { readonly message: string } | undefined): void {
  if (failure === undefined) return;
  process.exitCode = process.exitCode || 1;
  try {
    // At once, since nothing is written any more after 'exit'; a worker's process.stderr would hand it to the main thread.
    writeSync(2, `athanor: the program ended with a failure that nothing had waited for\n${failure.message}\n`);
  } catch {
    // Nobody listens to standard error.
  }
}

// Where a program has come to its end, what it submitted is still to be computed. Who calls process.exit() has no time.
process.on('beforeExit', () => {
  try {
    synchronize();
  } catch (failure) {
    tell(failure as Error);
  }
});
process.on('exit', () => tell(takeFailure()));
