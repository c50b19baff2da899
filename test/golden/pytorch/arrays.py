"""Tensors as JSON: base64 of their bytes, low byte first."""

import base64
import math
import re

import torch

DTYPES = {torch.float64: "float64", torch.float32: "float32", torch.int32: "int32", torch.int8: "int8"}


def camel(name):
    """running_mean as runningMean."""
    return re.sub(r"_([a-z0-9])", lambda m: m.group(1).upper(), name)


def encode(t, dtype=None, scale=None):
    t = t.detach().contiguous()
    t = t.to(torch.int32) if t.dtype == torch.int64 else t.to(dtype or t.dtype)
    data = base64.b64encode(t.numpy().tobytes()).decode()
    out = {"dtype": DTYPES[t.dtype], "shape": list(t.shape), "data": data}
    return out if scale is None else {**out, "scale": scale}


def grid(t):
    """Integers of at most 127 and the power of two that, multiplied, come nearest to t."""
    top = t.abs().max().item()
    scale = 2.0 ** math.ceil(math.log2(top / 127)) if top > 0 else 1.0
    return torch.round(t / scale).to(torch.int8), scale


def snap(t):
    """The nearest values that encode_exact holds."""
    integers, scale = grid(t)
    return integers.to(torch.float64) * scale


def encode_exact(t):
    """One byte a value; t must come from snap."""
    integers, scale = grid(t)
    assert torch.equal(integers.to(torch.float64) * scale, t.detach())
    return encode(integers, scale=scale)


def encode_all(named, dtype=None, exact=False):
    return {camel(k): encode_exact(v) if exact and v.is_floating_point() else encode(v, dtype) for k, v in named}
