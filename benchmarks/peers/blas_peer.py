"""A CBLAS's side of the benchmarks: matrix products, called from a loop in C.

blas_peer.py --find LOOP NAME...  prints the first library that can be loaded
blas_peer.py LOOP NAME            serves
"""
import ctypes
import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from data import compared, elements  # noqa: E402
from protocol import Unsupported, serve  # noqa: E402


def load(path):
    loop = ctypes.CDLL(path)
    loop.blas_gemm.restype = ctypes.c_double
    loop.blas_gemm.argtypes = [ctypes.c_int64] + [ctypes.c_int] * 7 + [ctypes.c_void_p] * 3
    loop.blas_version.restype = ctypes.c_char_p
    return loop


if sys.argv[1] == "--find":
    loop = load(sys.argv[2])
    for name in sys.argv[3:]:
        if loop.blas_open(name.encode()):
            print(name)
            sys.exit(0)
    sys.exit(1)

loop = load(sys.argv[1])
if not loop.blas_open(sys.argv[2].encode()):
    sys.exit(f"{sys.argv[2]} cannot be loaded")


def hello(request):
    threads = request["threads"]
    loop.blas_threads(threads)
    return loop.blas_version().decode().split(" NO_")[0] or sys.argv[2]


def stored(spec, seed):
    """The elements as they lie in memory, and whether that is transposed."""
    array = elements(spec, seed)
    transposed = bool(spec.get("transposed"))
    return np.ascontiguousarray(np.swapaxes(array, -1, -2) if transposed else array), transposed


def prepare(request):
    if "case" not in request:
        raise Unsupported("a CBLAS runs no models")
    case = request["case"]
    specs = case["inputs"]
    a, ta = stored(specs[0], 0)
    b, tb = stored(specs[1], 1)
    bias = 0
    if case["work"] == "linear":  # the bias is added for the comparison only: the product is what is timed
        tb, bias = True, elements(specs[2], 2)
    m, k = specs[0]["shape"][-2:]
    n = specs[1]["shape"][-2 if case["work"] == "linear" else -1]
    batch = int(np.prod(specs[0]["shape"][:-2], dtype=np.int64))
    c = np.empty([batch, m, n], a.dtype)
    args = [batch, a.dtype == np.float64, ta, tb, m, n, k] + [x.ctypes.data for x in (a, b, c)]
    run = lambda calls, keep=(a, b, c): loop.blas_gemm(calls, *args)
    run(1)
    return run, compared(c + bias)


serve(hello, prepare)
