import { Presets, SingleBar } from 'cli-progress';
import { RecentMean, type StepRecord } from './metrics.js';

/** Steps over which the shown loss and accuracy are averaged. */
const RECENT = 50;
/** Lines an epoch where there is no terminal to draw a bar on. */
const LINES = 5;

export const percent = (fraction: number) => `${(100 * fraction).toFixed(2)} %`;

/** Seconds as m:ss. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** The size of the run that is shown. */
export interface Extent {
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly batchSize: number;
}

/** Shows training as it goes: a live bar on a terminal, some lines an epoch elsewhere. */
export class Progress {
  readonly #loss = new RecentMean(RECENT);
  readonly #accuracy = new RecentMean(RECENT);
  #bar: SingleBar | undefined;

  constructor(readonly stream: NodeJS.WriteStream) {}

  /** Prints a line that stays. */
  say(line: string): void {
    this.stop();
    this.stream.write(`${line}\n`);
  }

  /** Shows where training is. */
  step(record: StepRecord, { epochs, stepsPerEpoch, batchSize }: Extent): void {
    this.#loss.add(record.loss);
    this.#accuracy.add(record.accuracy);
    const inEpoch = record.step - (record.epoch - 1) * stepsPerEpoch;
    const rate = record.step / record.seconds;
    const payload = {
      epoch: `epoch ${record.epoch}/${epochs}`,
      rate: `${Math.round(rate * batchSize).toLocaleString('en')} items/s`,
      loss: this.#loss.mean.toFixed(4),
      accuracy: percent(this.#accuracy.mean),
      left: clock((epochs * stepsPerEpoch - record.step) / rate),
    };
    if (this.stream.isTTY) this.#draw(inEpoch, stepsPerEpoch, payload);
    else if (inEpoch % Math.ceil(stepsPerEpoch / LINES) === 0 || inEpoch === stepsPerEpoch) {
      const { epoch, ...rest } = payload;
      const shown = `loss ${rest.loss}, accuracy ${rest.accuracy}, ${rest.rate}, ${rest.left} left`;
      this.stream.write(`${epoch}, step ${inEpoch}/${stepsPerEpoch}: ${shown}\n`);
    }
  }

  #draw(inEpoch: number, stepsPerEpoch: number, payload: Record<string, string>): void {
    if (this.#bar === undefined) {
      const format = '{epoch} {bar} {value}/{total}  {rate}  loss {loss}  accuracy {accuracy}  {left} left';
      const options = { format, stream: this.stream, hideCursor: true, clearOnComplete: true, barsize: 20, fps: 10 };
      this.#bar = new SingleBar(options, Presets.shades_classic);
      this.#bar.start(stepsPerEpoch, inEpoch, payload);
    } else {
      this.#bar.update(inEpoch, payload);
    }
  }

  /** Takes the bar away, so that something else can be printed. */
  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
