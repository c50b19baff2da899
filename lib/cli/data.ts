import { Presets, SingleBar } from 'cli-progress';
import { Argument, type Command, Option } from 'commander';
import { type DownloadEvent, downloadFiles } from '../data/download.js';
import { downloadFolder } from '../data/places.js';
import { type RemoteFile, remoteDatasets } from '../data/remote.js';
import { fail, show } from '../errors.js';
import { formatBytes } from '../io/bytes.js';
import type { Output } from './output.js';

/** Exit code of a command that Ctrl-C stopped: 128 + SIGINT, as shells have it. */
const STOPPED = 130;

/** A bar on a terminal; elsewhere the lines that `say` prints must do. */
class Bar {
  #bar: SingleBar | undefined;

  constructor(readonly output: Output) {}

  start(file: RemoteFile, from: number): void {
    this.stop();
    if (!this.output.stderr.isTTY) return;
    const format = `  ${file.name} {bar} {percentage}% of ${formatBytes(file.size)}, {eta_formatted} left`;
    const options = { format, hideCursor: true, clearOnComplete: true, stream: this.output.stderr };
    this.#bar = new SingleBar(options, Presets.shades_classic);
    this.#bar.start(file.size, from);
  }

  update(received: number): void {
    this.#bar?.update(received);
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}

/** Shows a download: a bar on a terminal, one line for each thing that happens elsewhere. */
function reporter(output: Output): (event: DownloadEvent) => void {
  const bar = new Bar(output);
  const say = (line: string) => output.stdout.write(`${line}\n`);
  return (event) => {
    switch (event.kind) {
      case 'present':
        say(`${event.file.name}: already there, sha256 right`);
        break;
      case 'start': {
        bar.stop();
        const rest = event.from > 0 ? `, going on after ${formatBytes(event.from)}` : '';
        say(`${event.file.name}: ${formatBytes(event.file.size)} from ${new URL(event.url).host}${rest}`);
        bar.start(event.file, event.from);
        break;
      }
      case 'progress':
        bar.update(event.received);
        break;
      case 'failed':
        bar.stop();
        say(`${event.file.name}: ${event.url}: ${event.reason}`);
        break;
      case 'done':
        bar.stop();
        say(`${event.file.name}: done, sha256 right`);
        break;
    }
  };
}

interface DataOptions {
  readonly data?: string;
  readonly mirror?: readonly string[];
}

/** Downloads a data set; resolves to the exit code. */
async function download(name: string, options: DataOptions, output: Output): Promise<number> {
  const { title, files, mirrors } = remoteDatasets[name];
  const folder = downloadFolder(name, options.data);
  output.stdout.write(`${name} (${title}) to ${folder}\n`);
  const stopper = new AbortController();
  const stop = () => stopper.abort();
  // npm passes the signal on to a child that the terminal has told already, so it comes twice: the listener stays.
  process.on('SIGINT', stop);
  try {
    await downloadFiles(files, {
      mirrors: options.mirror ?? mirrors,
      folder,
      onEvent: reporter(output),
      signal: stopper.signal,
    });
    return 0;
  } catch (error) {
    if (!stopper.signal.aborted) throw error;
    output.stderr.write('\nStopped. What has arrived is kept; the same command goes on from there.\n');
    return STOPPED;
  } finally {
    if (!stopper.signal.aborted) process.removeListener('SIGINT', stop);
  }
}

function mirrorAddress(value: string, before: readonly string[] = []): string[] {
  if (!/^https?:\/\//.test(value) || !URL.canParse(value)) {
    fail('data', '--mirror must be an http or https address', show(value));
  }
  return [...before, value.endsWith('/') ? value : `${value}/`];
}

/** Adds `athanor data <name>`, which downloads a data set. `onExit` is told the exit code. */
export function addDataCommand(program: Command, output: Output, onExit: (code: number) => void): void {
  program
    .command('data')
    .description('download a data set to where the examples find it (checked, resumable)')
    .addArgument(new Argument('<name>', 'the data set').choices(Object.keys(remoteDatasets)))
    .option('--data <dir>', 'folder for the files (default: $ATHANOR_DATA/<name>, else the user cache)')
    .addOption(
      new Option('--mirror <url>', 'ask this address instead of the usual ones (may be repeated)').argParser(
        mirrorAddress,
      ),
    )
    .action(async (name: string, options: DataOptions) => onExit(await download(name, options, output)));
}
