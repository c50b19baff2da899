/**
 * Random numbers for JavaScript's own use, apart from the engine's: small independent streams, keyed with (seed, stream,
 * index), so that item 1000 of something can be drawn without the 999 before it.
 *
 * Generator: sfc32 (Chris Doty-Humphrey, PractRand), 128 bits of state. Only 32-bit integer steps and exact float64
 * arithmetic are used, so every machine draws the same.
 */
export class Sfc32 {
  #a = 0;
  #b = 0;
  #c = 0;
  #counter = 0;

  /** Starts the stream of item `index`; `stream` separates uses of one seed. All are non-negative integers. */
  constructor(seed: number, stream: number, index: number) {
    this.#a = seed >>> 0;
    this.#b = (Math.floor(seed / 2 ** 32) ^ Math.imul(stream, 0x9e3779b9)) >>> 0;
    this.#c = index >>> 0;
    this.#counter = 1;
    // Keys of neighbours differ in a bit or two; a dozen rounds spread that over the whole state.
    for (let round = 0; round < 15; round++) this.#next();
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** Uniform in [0, 1), 32 bits fine. */
  uniform(): number {
    return this.#next() * 2 ** -32;
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /**
   * About normal with mean 0 and the standard deviation given: the scaled sum of four uniforms. It never leaves
   * +-3.47 deviations, so nothing is torn apart by one wild draw.
   */
  normal(deviation: number): number {
    const sum = this.#next() + this.#next() + this.#next() + this.#next();
    return (sum * 2 ** -32 - 2) * 1.7320508075688772 * deviation;
  }

  /** A whole number in [0, count). */
  below(count: number): number {
    const x = this.uniform() * count;
    return x - (x % 1);
  }

  /** True with the probability given. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }
}
