// The error function in float64, for references: its power series near 0, elsewhere Laplace's continued fraction.

/** 2/sqrt(pi) sum_n (-1)^n x^(2n+1) / (n! (2n+1)) (Abramowitz and Stegun 7.1.5). */
function series(x: number): number {
  let sum = 0;
  let power = x;
  for (let n = 0; n < 60; n++) {
    sum += power / (2 * n + 1);
    power *= -(x * x) / (n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

/** erfc(x) for x >= 1/2: e^(-x^2) / sqrt(pi) / (x + 1/2 / (x + 1 / (x + 3/2 / (x + ...)))) (A&S 7.1.14). */
function fraction(x: number): number {
  let tail = x;
  const terms = Math.ceil(260 / (x * x)) + 10; // its error falls like e^(-2 x sqrt(2 terms))
  for (let n = terms; n >= 1; n--) tail = x + n / 2 / tail;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / tail;
}

/** The error function. */
export function erfRef(x: number): number {
  if (x === 0) return x; // -0 too
  if (Math.abs(x) < 1) return series(x);
  return x > 0 ? 1 - fraction(x) : x < 0 ? fraction(-x) - 1 : x;
}

/** The probability that a standard normal variable is below x, accurate relative to itself. */
export function normalBelowRef(x: number): number {
  const z = x / Math.SQRT2;
  if (Math.abs(z) < 0.5) return 0.5 * (1 + series(z));
  return z > 0 ? 1 - 0.5 * fraction(z) : z < 0 ? 0.5 * fraction(-z) : z;
}
