"""Writes reference.safetensors with the reference implementation (pip install safetensors numpy)."""

import pathlib

import numpy as np
import safetensors.numpy

folder = pathlib.Path(__file__).parent
safetensors.numpy.save_file(
    {
        "layer.weight": (np.arange(15, dtype=np.float32) / 4 - 1).reshape(3, 5),
        "precise": np.array([0.1, -1e300]),
        "10": np.arange(-3, 4, dtype=np.int32),
        "9": np.array(5, dtype=np.int32),
        "flags": np.array([True, False, True]),
        "bytes": np.arange(5, dtype=np.uint8),
        "nothing": np.zeros((0, 4), np.float32),
        'quote " and é': np.ones(1, np.float32),
    },
    folder / "reference.safetensors",
    metadata={"made": "by the reference implementation"},
)
