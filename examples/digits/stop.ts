/** Whether the user has asked the program to stop, by Ctrl-C or by ending it. */
export interface Stop {
  readonly requested: boolean;
  /** What the program should exit with: 128 and the signal's number when stopped, else 0. */
  readonly exitCode: number;
}

/** Under npm one Ctrl-C arrives twice, from the terminal and from npm; a second one this much later is meant. */
const REPEAT = 1000;
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** Listens for Ctrl-C. The first asks the program to end what it is doing, a second ends it on the spot. */
export function listenForStop(onStop: () => void): Stop {
  const stop = { requested: false, exitCode: 0 };
  let first = 0;
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      if (stop.requested) {
        if (performance.now() - first > REPEAT) process.exit(exitCode);
        return;
      }
      first = performance.now();
      stop.requested = true;
      stop.exitCode = exitCode;
      onStop();
    });
  }
  return stop;
}
