// Trains a character model on a text and lets it write: npm run example:chars -- --model gpt
import { crossEntropy, info, manualSeed, optim, tidy } from 'athanor';
import { Command, InvalidArgumentError, Option } from 'commander';
import { CharLstm, type CharModel, Gpt } from './models.js';
import { sample } from './sample.js';
import { batchOf, type Corpus, loadText } from './text.js';

interface Options {
  readonly model: 'lstm' | 'gpt';
  readonly steps: number;
  readonly batchSize: number;
  readonly length: number;
  readonly width: number;
  readonly lr: number;
  readonly seed: number;
  readonly text?: string;
}

function whole(low: number, high: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (value.trim() !== '' && Number.isSafeInteger(number) && number >= low && number <= high) return number;
    throw new InvalidArgumentError(`Allowed are whole numbers from ${low} to ${high}.`);
  };
}

function rate(value: string): number {
  const number = Number(value);
  if (value.trim() !== '' && number > 0 && number <= 1) return number;
  throw new InvalidArgumentError('Allowed are numbers above 0, up to 1.');
}

function parse(): Options {
  return new Command('npm run example:chars --')
    .description('Trains a character model on a text and lets it write.')
    .addOption(new Option('--model <name>', 'the network').choices(['lstm', 'gpt']).default('lstm'))
    .addOption(new Option('--steps <n>', 'training steps').argParser(whole(1, 1e6)).default(500))
    .addOption(new Option('--batch-size <n>', 'pieces of text a step').argParser(whole(1, 4096)).default(32))
    .addOption(new Option('--length <n>', 'characters a piece').argParser(whole(2, 1024)).default(64))
    .addOption(
      new Option('--width <n>', 'numbers a character becomes, a multiple of 4').argParser(whole(4, 4096)).default(128),
    )
    .addOption(new Option('--lr <rate>', 'highest learning rate').argParser(rate).default(0.003))
    .addOption(
      new Option('--seed <n>', 'fixes weights, batches and what is written')
        .argParser(whole(0, 2 ** 32 - 1))
        .default(0),
    )
    .option('--text <file>', 'what to learn from (default: tiny Shakespeare in $ATHANOR_DATA, else made-up sentences)')
    .parse()
    .opts<Options>();
}

/** Half a cosine from the highest rate to none (Loshchilov and Hutter, "SGDR", 2017, without restarts). */
const rateAt = (highest: number, step: number, steps: number) =>
  0.5 * highest * (1 + Math.cos((Math.PI * step) / steps));

function train(model: CharModel, corpus: Corpus, options: Options): void {
  const { steps, batchSize, length, lr } = options;
  const optimizer = new optim.AdamW(model.parameters(), { lr, weightDecay: 0.01 });
  const every = Math.max(1, Math.floor(steps / 10));
  const start = performance.now();
  for (let step = 1; step <= steps; step++) {
    optimizer.lr = rateAt(lr, step - 1, steps);
    const loss = tidy(() => {
      const { x, target } = batchOf(corpus, batchSize, length);
      optimizer.zeroGrad();
      const found = crossEntropy(model.forward(x).flatten(0, 1), target);
      found.backward();
      optimizer.step();
      return found.detach();
    });
    if (step === 1 || step % every === 0) {
      const perSecond = Math.round((step * batchSize * length) / ((performance.now() - start) / 1000));
      console.log(
        `step ${step}/${steps}: loss ${loss.itemSync().toFixed(3)}, ${perSecond.toLocaleString('en')} characters/s`,
      );
    }
    loss.dispose();
  }
}

function main(): void {
  const options = parse();
  manualSeed(options.seed);
  const corpus = loadText(options.text);
  const { symbols, codes } = corpus;
  if (options.width % 4 !== 0)
    throw new Error(`--width must be a multiple of 4, the number of heads: ${options.width}`);
  if (codes.length <= options.length) throw new Error(`the text is shorter than --length: ${codes.length} characters`);
  const model =
    options.model === 'gpt'
      ? new Gpt(symbols.length, options.width, options.length)
      : new CharLstm(symbols.length, options.width);
  const parameters = model.parameters().reduce((sum, { size }) => sum + size, 0);
  const { threads, isa } = info();
  console.log(`${corpus.note}: ${codes.length.toLocaleString('en')} characters, ${symbols.length} different ones`);
  console.log(`${options.model}, ${parameters.toLocaleString('en')} parameters; ${threads} threads, ${isa}`);
  console.log(`a guess without knowledge: loss ${Math.log(symbols.length).toFixed(3)}`);
  train(model, corpus, options);
  console.log(`\n${sample(model, corpus, 300, options.length)}`);
}

try {
  main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
