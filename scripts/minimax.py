#!/usr/bin/env python3
"""The polynomials of native/math: coefficients and errors. Needs mpmath. `python3 scripts/minimax.py [name]`.

Each entry is a function, an interval, a number of terms and a weight: the polynomial p minimises the largest
|p(x) - f(x)| * weight(x), which the weight makes the relative error of the result that p is a part of (Remez 1934).
"""
import sys

from mpmath import atan, atanh, cos, erf, erfc, exp, lu_solve, matrix, mp, mpf, pi, sin, sqrt, log, findroot

mp.dps = 60


def remez(f, low, high, terms, weight):
    low, high = mpf(low), mpf(high)
    points = [(low + high) / 2 - (high - low) / 2 * cos(pi * (2 * i + 1) / (2 * terms + 2)) for i in range(terms + 1)]
    grid = [(low + high) / 2 - (high - low) / 2 * cos(pi * i / (40 * terms)) for i in range(40 * terms + 1)]
    values = [(f(x), weight(x)) for x in grid]
    for _ in range(8):
        rows = [[x**k for k in range(terms)] + [(-1) ** i / weight(x)] for i, x in enumerate(points)]
        solution = lu_solve(matrix(rows), matrix([f(x) for x in points]))
        c = list(solution)[:terms]

        def off(x, value):
            return (sum(c[k] * x**k for k in range(terms)) - value[0]) * value[1]

        errors = [off(x, v) for x, v in zip(grid, values)]
        # The largest error of each run of one sign is the next set of points.
        runs, best = [], 0
        for i in range(1, len(grid) + 1):
            if i == len(grid) or (errors[i] > 0) != (errors[best] > 0):
                runs.append(best)
                best = i
            elif abs(errors[i]) > abs(errors[best]):
                best = i
        while len(runs) > terms + 1:
            runs.pop(0 if abs(errors[runs[0]]) < abs(errors[runs[-1]]) else -1)
        if len(runs) < terms + 1:
            break
        points = [grid[i] for i in runs]
    return c, max(abs(e) for e in errors)


def one(_):
    return mpf(1)


def upper_tail(u):
    """The normal distribution above u, over the density's exponential."""
    return erfc(u / sqrt(mpf(2))) / 2 * exp(u * u / 2)


def tail_by(scale):
    """upper_tail(u) / t in terms of t - 1/2 with t = 1 / (1 + u / scale)."""
    return lambda w: upper_tail(scale * (1 / (w + mpf(0.5)) - 1)) / (w + mpf(0.5))


def series(f, near_zero):
    """f without its loss of digits at 0."""
    return lambda x: near_zero if x < mpf(10) ** -12 else f(x)


def tail_entry(scale, reach, terms):
    low = 1 / (1 + mpf(reach) / scale)
    return tail_by(scale), low - mpf(0.5), mpf(0.5), terms, lambda w: 1 / tail_by(scale)(w)


FITS = {
    # log1p(e) = t + t z p(z), t = 2 s, z = s^2, s = e / (2 + e), for 0 <= e <= 1
    "log1p_unit float": (series(lambda z: (atanh(sqrt(z)) / sqrt(z) - 1) / z, mpf(1) / 3), 0, mpf(1) / 9, 4, lambda z: z),
    "log1p_unit double": (series(lambda z: (atanh(sqrt(z)) / sqrt(z) - 1) / z, mpf(1) / 3), 0, mpf(1) / 9, 10, lambda z: z),
    "normal_tail float": tail_entry(4, 15, 10),
    "normal_tail double": tail_entry(5, 39, 22),
    "atan float": (series(lambda z: (atan(sqrt(z)) / sqrt(z) - 1) / z, mpf(-1) / 3), 0, mpf("0.1716"), 6, lambda z: z),
    "erf double": (series(lambda z: erf(sqrt(z)) / sqrt(z) - 1, 2 / sqrt(pi) - 1), 0, 1, 13, one),
    "sin turn double": (series(lambda z: sin(2 * pi * sqrt(z)) / sqrt(z), 2 * pi), 0, mpf(1) / 64, 7, lambda z: 1 / (2 * pi)),
    "cos turn double": (series(lambda z: (cos(2 * pi * sqrt(z)) - 1) / z, -2 * pi**2), 0, mpf(1) / 64, 7, lambda z: z),
}

for name, (f, low, high, terms, weight) in FITS.items():
    if len(sys.argv) > 1 and sys.argv[1] not in name:
        continue
    coefficients, error = remez(f, low, high, terms, weight)
    print(f"{name}: 2^{float(log(error, 2)):.1f}")
    print("   ", ", ".join(mp.nstr(c, 18) for c in coefficients))
