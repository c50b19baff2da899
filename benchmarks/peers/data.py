"""The data of a case, the same as benchmarks/data.ts makes: a hash of seed and index."""
import numpy as np


CHUNK = 1 << 17  # numbers at a time: what is between them stays in the caches


def unit(start, end, seed):
    h = np.arange(start, end, dtype=np.uint32)
    h += np.uint32((seed * 0x9E3779B9) & 0xFFFFFFFF)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B)
    return (h ^ (h >> np.uint32(16))) >> np.uint32(8)


def elements(spec, seed):
    """An input as an array of its shape; a transposed one is a view. NumPy has no bfloat16: it is still to be rounded."""
    dtype = spec.get("dtype", "float32")
    shape = list(spec["shape"])
    n = int(np.prod(shape, dtype=np.int64))
    low = spec.get("low", 0 if dtype == "int32" else -1)
    width = spec.get("high", 1) - low
    values = np.empty(n, "float32" if dtype == "bfloat16" else dtype)
    for start in range(0, n, CHUNK):
        end = min(n, start + CHUNK)
        bits = unit(start, end, seed)
        if dtype == "bool":
            values[start:end] = bits < (1 << 23)
            continue
        part = bits.astype(np.float64) / 2.0**24 * width
        values[start:end] = low + (np.floor(part) if dtype == "int32" else part)
    if spec.get("transposed"):
        shape[-2:] = shape[:-3:-1]
        return np.swapaxes(values.reshape(shape), -1, -2)
    return values.reshape(shape)


COMPARED = 1 << 20


def compared(values):
    """The elements of a result that are compared, as float64."""
    flat = np.ascontiguousarray(values).reshape(-1)
    step = 1 if flat.size <= COMPARED else -(-flat.size // COMPARED) | 1
    return flat[::step].astype(np.float64)
