"""Layers over sequences, of several inputs and outputs: recurrent layers and cells, attention."""

import torch
from torch import nn

from .arrays import camel, encode, encode_all, encode_exact, snap
from .layers import described, disturb

# (layer, positional arguments, options, shapes of the inputs by name, how they are passed)
RECURRENT = [
    ("LSTM", [3, 4], {}, {"x": [5, 2, 3]}, ["x"]),
    ("LSTM", [3, 2], {"num_layers": 2, "bidirectional": True}, {"x": [4, 3, 3]}, ["x"]),
    ("LSTM", [3, 4], {"batch_first": True, "bias": False}, {"x": [2, 5, 3]}, ["x"]),
    ("LSTM", [2, 3], {"num_layers": 2}, {"x": [4, 2, 2], "h0": [2, 2, 3], "c0": [2, 2, 3]}, ["x", ["h0", "c0"]]),
    ("LSTM", [2, 3], {"bidirectional": True}, {"x": [4, 2], "h0": [2, 3], "c0": [2, 3]}, ["x", ["h0", "c0"]]),
    ("GRU", [3, 4], {}, {"x": [5, 2, 3]}, ["x"]),
    ("GRU", [3, 2], {"num_layers": 2, "bidirectional": True, "batch_first": True}, {"x": [3, 4, 3]}, ["x"]),
    ("GRU", [2, 3], {"num_layers": 2, "bias": False}, {"x": [4, 2, 2], "h0": [2, 2, 3]}, ["x", "h0"]),
    ("GRU", [2, 3], {}, {"x": [4, 2], "h0": [1, 3]}, ["x", "h0"]),
    ("RNN", [3, 4], {}, {"x": [5, 2, 3]}, ["x"]),
    ("RNN", [3, 4], {"nonlinearity": "relu", "num_layers": 2}, {"x": [5, 2, 3], "h0": [2, 2, 4]}, ["x", "h0"]),
    ("RNN", [3, 2], {"bidirectional": True, "bias": False}, {"x": [4, 3, 3]}, ["x"]),
    ("LSTMCell", [3, 4], {}, {"x": [2, 3]}, ["x"]),
    ("LSTMCell", [3, 4], {"bias": False}, {"x": [2, 3], "h": [2, 4], "c": [2, 4]}, ["x", ["h", "c"]]),
    ("GRUCell", [3, 4], {}, {"x": [2, 3], "h": [2, 4]}, ["x", "h"]),
    ("GRUCell", [3, 4], {}, {"x": [3]}, ["x"]),
    ("RNNCell", [3, 4], {"nonlinearity": "relu"}, {"x": [2, 3], "h": [2, 4]}, ["x", "h"]),
]

# As above, and the options of the call; a list is a mask.
CAUSAL = [[False, True, True], [False, False, True], [False, False, False]]
ATTENTION = [
    ("MultiheadAttention", [6, 2], {}, {"x": [3, 2, 6]}, ["x", "x", "x"], {}),
    ("MultiheadAttention", [6, 2], {"batch_first": True}, {"x": [2, 3, 6]}, ["x", "x", "x"], {"need_weights": False}),
    ("MultiheadAttention", [6, 3], {"bias": False}, {"x": [3, 6]}, ["x", "x", "x"], {"attn_mask": CAUSAL}),
    ("MultiheadAttention", [6, 2], {}, {"q": [3, 2, 6], "k": [4, 2, 6], "v": [4, 2, 6]}, ["q", "k", "v"],
     {"average_attn_weights": False}),
    ("MultiheadAttention", [6, 2], {}, {"q": [3, 2, 6], "k": [4, 2, 6], "v": [4, 2, 6]}, ["q", "k", "v"],
     {"need_weights": False}),
    ("MultiheadAttention", [4, 2], {"batch_first": True}, {"x": [2, 3, 4]}, ["x", "x", "x"],
     {"need_weights": False, "key_padding_mask": [[False, False, True], [False, True, True]], "attn_mask": CAUSAL}),
    ("TransformerEncoderLayer", [4, 2], {"dim_feedforward": 6, "dropout": 0.0}, {"x": [3, 2, 4]}, ["x"], {}),
    ("TransformerEncoderLayer", [4, 2],
     {"dim_feedforward": 6, "dropout": 0.0, "activation": "gelu", "norm_first": True, "batch_first": True},
     {"x": [2, 3, 4]}, ["x"], {"src_mask": CAUSAL}),
    ("TransformerEncoderLayer", [4, 1], {"dim_feedforward": 5, "dropout": 0.0, "bias": False}, {"x": [3, 2, 4]}, ["x"],
     {"src_key_padding_mask": [[False, False, True], [False, True, True]]}),
]


def flat(value):
    """The tensors in nested tuples."""
    return [t for item in value for t in flat(item)] if isinstance(value, (tuple, list)) else [value]


def passed(value, inputs):
    """The inputs in the place of their names."""
    return tuple(passed(v, inputs) for v in value) if isinstance(value, list) else inputs[value]


def case(name, args, options, shapes, call, how={}):
    module = getattr(nn, name)(*args, **options)
    disturb(module)
    state = encode_all(module.state_dict().items(), exact=True)
    inputs = {k: snap(torch.randn(shape)).requires_grad_() for k, shape in shapes.items()}
    masks = {k: torch.tensor(v) if isinstance(v, list) else v for k, v in how.items()}
    outputs = [t for t in flat(module(*(passed(value, inputs) for value in call), **masks)) if t is not None]
    tensors = [*inputs.items(), *module.named_parameters()]
    cotangents = [snap(torch.randn_like(out)) for out in outputs]
    gradients = torch.autograd.grad(outputs, [t for _, t in tensors], cotangents)
    return {
        **described(name, args, options),
        "state": state,
        "inputs": {k: encode_exact(t) for k, t in inputs.items()},
        "call": call,
        "how": {camel(k): v for k, v in how.items()},
        "outputs": [encode(out) for out in outputs],
        "cotangents": [encode_exact(t) for t in cotangents],
        "gradients": encode_all([(name, g) for (name, _), g in zip(tensors, gradients)]),
    }


def cases():
    torch.manual_seed(5)
    return [case(*row) for row in [*RECURRENT, *ATTENTION]]
