// The main job, `npm start`: trains a network on handwritten digits, shows how it goes and writes down what came out.
import { info, manualSeed, setDefaultDevice } from 'athanor';
import { loadDigits, makeLoaders } from './data.js';
import { learn } from './learn.js';
import { models } from './models.js';
import { type Options, parseOptions } from './options.js';
import { clock, Progress, percent } from './progress.js';
import { Results } from './results.js';
import { listenForStop } from './stop.js';

/** Mistakes that are drawn. */
const DRAWN = 40;

async function run(options: Options): Promise<number> {
  setDefaultDevice(options.device);
  // With --json standard output belongs to the result alone.
  const stream = options.json ? process.stderr : process.stdout;
  const progress = new Progress(stream);
  const stop = listenForStop(() => progress.say('Stopping; what was learnt is kept. Ctrl-C once more gives it up.'));

  const digits = await loadDigits(options);
  for (const note of digits.notes) progress.say(note);
  if (stop.requested) return stop.exitCode;

  manualSeed(options.seed);
  const { title, build } = models[options.model];
  const model = build();
  const loaders = makeLoaders(digits, options);
  const { isa, threads } = info();
  const parameters = model.parameters().reduce((sum, { size }) => sum + size, 0);
  const config = { ...options, data: digits.source, parameters, isa, threads };
  const results = new Results(options.out, options.model, config);
  progress.say(
    `${title}, ${parameters.toLocaleString('en')} parameters; ${options.optimizer}, learning rate up to ${options.lr}; ` +
      `batches of ${loaders.train.batchSize}; seed ${options.seed}; ${threads} threads, ${isa}`,
  );

  const { judgement, steps, seconds } = await learn(model, loaders, digits.test, options, progress, results, stop);
  const name = `${title} on ${digits.source === 'mnist' ? 'MNIST' : 'synthetic digits'}`;
  const wrong = judgement.mistakes.length;
  const total = digits.test.count.toLocaleString('en');
  const worst = judgement.mistakes.slice(0, DRAWN);
  await results.finish(
    `${name}: ${percent(judgement.accuracy)} of the test digits right`,
    { title: `${name}: the ${worst.length} surest of ${wrong} mistakes in ${total} test digits`, worst },
    digits.test,
  );

  const peak = process.resourceUsage().maxRSS * 1024;
  progress.say(
    `${percent(judgement.accuracy)} of ${total} test digits right, ${wrong} wrong; ` +
      `trained for ${clock(seconds)} min, peak memory ${Math.round(peak / 2 ** 20)} MiB`,
  );
  progress.say(`Results: ${results.folder}`);
  if (options.json) {
    const result = {
      ...config,
      stopped: stop.requested,
      steps,
      seconds,
      testAccuracy: judgement.accuracy,
      testLoss: judgement.loss,
      mistakes: wrong,
      peakMemoryBytes: peak,
      out: results.folder,
    };
    process.stdout.write(`${JSON.stringify(result)}\n`);
  }
  return stop.exitCode;
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  return typeof options === 'number' ? options : run(options);
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  },
);
