import { escapeXml } from './curves.js';
import { encodePng } from './png.js';

/** A test digit that was guessed wrong. */
export interface Mistake {
  /** Its place in the test set. */
  readonly index: number;
  readonly pixels: Uint8Array;
  readonly truth: number;
  readonly guess: number;
  /** How sure the network was of its guess: the softmax probability. */
  readonly confidence: number;
}

const COLUMNS = 8;
const PICTURE = 84;
const CELL_WIDTH = 100;
const CELL_HEIGHT = 128;

/** Draws mistakes as pictures with truth, guess and confidence, in the order given. */
export function drawMistakes(
  title: string,
  mistakes: readonly Mistake[],
  size: { readonly width: number; readonly height: number },
): string {
  const rows = Math.max(1, Math.ceil(mistakes.length / COLUMNS));
  const width = COLUMNS * CELL_WIDTH + 16;
  const height = 48 + rows * CELL_HEIGHT;
  const cells = mistakes.map(({ index, pixels, truth, guess, confidence }, i) => {
    const x = 16 + (i % COLUMNS) * CELL_WIDTH;
    const y = 48 + Math.floor(i / COLUMNS) * CELL_HEIGHT;
    const png = encodePng(pixels, size.width, size.height).toString('base64');
    return [
      `<g transform="translate(${x} ${y})"><title>test digit ${index}</title>`,
      `<image width="${PICTURE}" height="${PICTURE}" image-rendering="pixelated" href="data:image/png;base64,${png}"/>`,
      `<text y="${PICTURE + 16}" font-size="14"><tspan fill="#2b8a3e">${truth}</tspan> taken for <tspan fill="#c92a2a" font-weight="bold">${guess}</tspan></text>`,
      `<text y="${PICTURE + 31}" font-size="11" fill="#777">${(100 * confidence).toFixed(1)} % sure</text></g>`,
    ].join('');
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif">`,
    '<rect width="100%" height="100%" fill="white"/>',
    `<text x="16" y="28" font-size="15" font-weight="bold">${escapeXml(title)}</text>`,
    ...cells,
    '</svg>\n',
  ].join('\n');
}
