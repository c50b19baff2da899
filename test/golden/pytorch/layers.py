"""Single layers and losses: output, gradients of every input and parameter, and the state afterwards."""

import torch
from torch import nn

from .arrays import camel, encode, encode_all, encode_exact, snap

# (layer, positional arguments, options, shapes of the inputs[, "eval"]); options as PyTorch spells them.
LAYERS = [
    ("Linear", [5, 3], {}, [[4, 5]]),
    ("Linear", [5, 3], {"bias": False}, [[2, 3, 5]]),
    ("Linear", [5, 3], {}, [[5]]),
    ("Conv1d", [2, 3, 3], {"stride": 2, "padding": 1}, [[2, 2, 9]]),
    ("Conv1d", [2, 4, 4], {"padding": "same", "groups": 2}, [[2, 2, 7]]),
    ("ConvTranspose1d", [3, 2, 3], {"stride": 2, "output_padding": 1}, [[2, 3, 4]]),
    ("Conv2d", [2, 3, 3], {}, [[2, 2, 5, 6]]),
    ("Conv2d", [2, 4, 3], {"stride": 2, "padding": 1, "bias": False}, [[2, 2, 7, 6]]),
    ("Conv2d", [4, 6, [3, 2]], {"stride": [1, 2], "padding": [2, 1], "dilation": [2, 1], "groups": 2}, [[2, 4, 6, 7]]),
    ("Conv2d", [3, 3, 3], {"padding": "same", "groups": 3}, [[1, 3, 5, 5]]),
    ("Conv2d", [2, 2, 4], {"padding": "same"}, [[2, 2, 5, 6]]),
    ("Conv2d", [2, 2, 3], {"padding": "valid"}, [[2, 5, 5]]),
    ("ConvTranspose2d", [3, 2, 3], {}, [[2, 3, 4, 5]]),
    ("ConvTranspose2d", [3, 2, 3], {"stride": 2, "padding": 1, "output_padding": 1}, [[2, 3, 4, 3]]),
    ("ConvTranspose2d", [4, 6, [2, 3]], {"stride": [2, 3], "groups": 2, "dilation": 2, "bias": False}, [[1, 4, 3, 3]]),
    ("MaxPool2d", [2], {}, [[2, 2, 5, 6]]),
    ("MaxPool2d", [3], {"stride": 2, "padding": 1}, [[2, 2, 6, 5]]),
    ("AvgPool2d", [2], {}, [[2, 2, 5, 6]]),
    ("AvgPool2d", [3], {"stride": 2, "padding": 1}, [[2, 2, 6, 5]]),
    ("AvgPool2d", [3], {"stride": 2, "padding": 1, "count_include_pad": False}, [[2, 2, 6, 5]]),
    ("AdaptiveAvgPool2d", [1], {}, [[2, 3, 5, 4]]),
    ("AdaptiveAvgPool2d", [[3, 2]], {}, [[2, 2, 7, 5]]),
    ("BatchNorm1d", [3], {}, [[6, 3]]),
    ("BatchNorm1d", [3], {"momentum": 0.3, "eps": 0.01}, [[4, 3, 5]]),
    ("BatchNorm2d", [3], {}, [[4, 3, 3, 2]]),
    ("BatchNorm2d", [3], {"affine": False, "momentum": None}, [[4, 3, 3, 2]]),
    ("BatchNorm2d", [3], {"track_running_stats": False}, [[4, 3, 3, 2]], "eval"),
    ("BatchNorm2d", [3], {}, [[4, 3, 3, 2]], "eval"),
    ("LayerNorm", [5], {}, [[4, 5]]),
    ("LayerNorm", [[3, 4]], {"eps": 0.01}, [[2, 3, 4]]),
    ("LayerNorm", [4], {"bias": False}, [[3, 4]]),
    ("LayerNorm", [4], {"elementwise_affine": False}, [[3, 4]]),
    ("RMSNorm", [5], {}, [[4, 5]]),
    ("RMSNorm", [[3, 4]], {"eps": 0.01}, [[2, 3, 4]]),
    ("GroupNorm", [2, 6], {}, [[3, 6, 4]]),
    ("GroupNorm", [3, 3], {"eps": 0.01, "affine": False}, [[2, 3, 4, 2]]),
    ("InstanceNorm1d", [3], {}, [[2, 3, 5]]),
    ("InstanceNorm2d", [3], {"affine": True}, [[2, 3, 4, 3]]),
    ("ReLU", [], {}, [[3, 7]]),
    ("LeakyReLU", [], {"negative_slope": 0.2}, [[3, 7]]),
    ("ELU", [], {"alpha": 0.7}, [[3, 7]]),
    ("GELU", [], {}, [[3, 7]]),
    ("GELU", [], {"approximate": "tanh"}, [[3, 7]]),
    ("SiLU", [], {}, [[3, 7]]),
    ("Sigmoid", [], {}, [[3, 7]]),
    ("Tanh", [], {}, [[3, 7]]),
    ("Softplus", [], {"beta": 2.0}, [[3, 7]]),
    ("Softmax", [-1], {}, [[3, 7]]),
    ("LogSoftmax", [1], {}, [[2, 5, 3]]),
    ("Flatten", [], {}, [[2, 3, 4]]),
    ("Flatten", [0, 1], {}, [[2, 3, 4]]),
]

# (loss, options, shape of the scores, classes or "values": what the targets are)
LOSSES = [
    ("CrossEntropyLoss", {}, [6, 5], "classes"),
    ("CrossEntropyLoss", {"label_smoothing": 0.2}, [6, 5], "classes"),
    ("CrossEntropyLoss", {"weight": [0.5, 1.0, 2.0, 0.25, 1.5], "ignore_index": 2}, [8, 5], "classes"),
    ("CrossEntropyLoss", {"weight": [0.5, 1.0, 2.0], "label_smoothing": 0.1}, [8, 3], "classes"),
    ("CrossEntropyLoss", {"reduction": "sum"}, [2, 4, 3], "classes"),
    ("CrossEntropyLoss", {"reduction": "none"}, [6, 5], "classes"),
    ("NLLLoss", {}, [6, 5], "classes"),
    ("NLLLoss", {"weight": [0.5, 1.0, 2.0, 0.25, 1.5], "reduction": "sum"}, [6, 5], "classes"),
    ("MSELoss", {}, [4, 3], "values"),
    ("MSELoss", {"reduction": "none"}, [4, 3], "values"),
    ("L1Loss", {}, [4, 3], "values"),
    ("CrossEntropyLoss", {"label_smoothing": 0.1, "weight": [0.5, 1.0, 2.0]}, [4, 3], "values"),
    ("BCEWithLogitsLoss", {}, [4, 3], "values"),
    ("BCEWithLogitsLoss", {"weight": [0.5, 2.0, 4.0]}, [4, 3], "values"),
    ("BCEWithLogitsLoss", {"pos_weight": [0.5, 2.0, 4.0], "reduction": "sum"}, [4, 3], "values"),
]


def described(name, args, options):
    return {"layer": name, "args": args, "options": {camel(k): v for k, v in options.items()}}


def disturb(module):
    """Other values than the 0 and 1 that norms start with."""
    with torch.no_grad():
        for name, t in module.state_dict().items():
            if not t.is_floating_point():
                continue
            fresh = torch.rand_like(t) + 0.5 if name.endswith("var") else t + 0.4 * torch.randn_like(t)
            t.copy_(snap(fresh))


def differentiate(out, tensors):
    """A cotangent and the gradients that it leads to."""
    cotangent = snap(torch.randn_like(out))
    gradients = torch.autograd.grad(out, [t for _, t in tensors], cotangent)
    return {
        "output": encode(out),
        "cotangent": encode_exact(cotangent),
        "gradients": encode_all([(name, g) for (name, _), g in zip(tensors, gradients)]),
    }


def layer(name, args, options, shapes, mode="train"):
    module = getattr(nn, name)(*args, **options)
    module.train(mode == "train")
    disturb(module)
    state = encode_all(module.state_dict().items(), exact=True)
    inputs = [snap(torch.randn(shape)).requires_grad_() for shape in shapes]
    out = module(*inputs)
    tensors = [*((f"input{i}", t) for i, t in enumerate(inputs)), *module.named_parameters()]
    return {
        **described(name, args, options),
        "mode": mode,
        "state": state,
        "inputs": [encode_exact(t) for t in inputs],
        **differentiate(out, tensors),
        "after": encode_all(module.named_buffers()),
    }


def embedding(options):
    module = nn.Embedding(7, 3, **options)
    disturb(module)
    state = encode_all(module.state_dict().items(), exact=True)
    indices = torch.tensor([[1, 4, 1], [6, 2, 0]])
    results = differentiate(module(indices), list(module.named_parameters()))
    case = {"mode": "train", "state": state, "inputs": [encode(indices)], **results, "after": {}}
    return {**described("Embedding", [7, 3], options), **case}


def loss(name, options, shape, kind):
    tensors = {k: torch.tensor(v) if isinstance(v, list) else v for k, v in options.items()}
    scores = snap(torch.randn(shape)).requires_grad_()
    if kind == "classes":
        targets = torch.randint(shape[1], [shape[0], *shape[2:]])
    else:
        targets = snap(torch.rand(shape))
    if name == "NLLLoss":
        scores = snap(scores.log_softmax(1)).requires_grad_()
    module = getattr(nn, name)(**tensors)
    out = module(scores, targets)
    return {
        **described(name, [], options),
        "mode": "train",
        "state": encode_all(module.state_dict().items(), exact=True),
        "inputs": [encode_exact(scores), encode(targets) if kind == "classes" else encode_exact(targets)],
        **differentiate(out, [("input0", scores)]),
        "after": encode_all(module.named_buffers()),
    }


def cases():
    torch.manual_seed(4)
    return [
        *(layer(*row) for row in LAYERS),
        embedding({}),
        embedding({"padding_idx": 1}),
        *(loss(*row) for row in LOSSES),
    ]
