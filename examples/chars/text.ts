import * as fs from 'node:fs';
import * as path from 'node:path';
import { defaultGenerator, randint, type Tensor, tensor } from 'athanor';

/** A text as numbers: each character is its place in `symbols`. */
export interface Corpus {
  readonly symbols: readonly string[];
  readonly codes: Int32Array;
  /** Where it came from, for the user. */
  readonly note: string;
}

const WORDS = {
  who: ['the king', 'a shepherd', 'my lord', 'the old fool', 'her brother', 'a messenger'],
  does: ['calls', 'follows', 'forgets', 'fears', 'crowns', 'mocks'],
  whom: ['the queen', 'his sword', 'the night', 'an honest man', 'all the town', 'the sea'],
  when: ['by day', 'at dawn', 'in vain', 'once more', 'without a word', 'for love'],
};

/** Sentences put together from a few words: enough to see that a model learns. */
function madeUp(lines: number): string {
  const lists = Object.values(WORDS);
  const chosen = randint(0, WORDS.who.length, [lines, lists.length]).toArraySync() as number[][];
  return chosen
    .map((line) => {
      const sentence = line.map((word, i) => lists[i][word]).join(' ');
      return `${sentence[0].toUpperCase()}${sentence.slice(1)}.\n`;
    })
    .join('');
}

function encode(text: string, note: string): Corpus {
  const symbols = [...new Set(text)].sort();
  const places = new Map(symbols.map((symbol, i) => [symbol, i]));
  return { symbols, codes: Int32Array.from([...text], (symbol) => places.get(symbol) as number), note };
}

/** The text of a file; else tiny Shakespeare in `$ATHANOR_DATA`; else made-up sentences. */
export function loadText(file: string | undefined): Corpus {
  const data = process.env.ATHANOR_DATA;
  const shakespeare = data === undefined ? undefined : path.join(data, 'tinyshakespeare', 'input.txt');
  const found = file ?? (shakespeare !== undefined && fs.existsSync(shakespeare) ? shakespeare : undefined);
  if (found === undefined) {
    return encode(
      madeUp(2000),
      'MADE-UP sentences; for Shakespeare, --text FILE or $ATHANOR_DATA/tinyshakespeare/input.txt',
    );
  }
  return encode(fs.readFileSync(found, 'utf8'), found);
}

/** A batch of pieces of the text, [N, T], and the characters that follow each of theirs, [N T]. */
export function batchOf({ codes }: Corpus, size: number, steps: number): { x: Tensor; target: Tensor } {
  const starts = randint(0, codes.length - steps, [size], { generator: defaultGenerator }).dataSync();
  const [x, target] = [new Int32Array(size * steps), new Int32Array(size * steps)];
  starts.forEach((start, i) => {
    x.set(codes.subarray(start, start + steps), i * steps);
    target.set(codes.subarray(start + 1, start + 1 + steps), i * steps);
  });
  return { x: tensor(x, { shape: [size, steps] }), target: tensor(target) };
}
