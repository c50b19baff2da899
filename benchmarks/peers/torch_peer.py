"""PyTorch's side of the benchmarks, in its best form: given outputs where it takes them, fused optimizers."""
import gc
import itertools
import os
import sys

import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from data import compared, elements  # noqa: E402
import protocol  # noqa: E402
from protocol import Unsupported, read_safetensors, serve  # noqa: E402

aten = torch.ops.aten
DEVICE = torch.device("cpu")  # what hello() was asked for
LARGE = 1 << 16  # elements from which a given output saves more than the slower call costs

# Works whose function in torch has another name.
RENAMED = {
    "norm": torch.linalg.vector_norm, "variance": torch.var, "clamp": torch.clamp, "isNaN": torch.isnan,
    "isFinite": torch.isfinite, "floorDivide": torch.floor_divide, "logicalAnd": torch.logical_and,
    "logicalOr": torch.logical_or, "logicalXor": torch.logical_xor, "logicalNot": torch.logical_not,
    "relu": torch.relu, "leakyRelu": F.leaky_relu, "elu": F.elu, "softplus": F.softplus, "silu": F.silu, "gelu": F.gelu,
}
# The same into a given output, where that is not the function with out=.
GIVEN = {
    "relu": lambda o: lambda out, x: torch.clamp(x, min=0, out=out),
    "leakyRelu": lambda o: lambda out, x: aten.leaky_relu.out(x, out=out),
    "elu": lambda o: lambda out, x: aten.elu.out(x, out=out),
    "softplus": lambda o: lambda out, x: aten.softplus.out(x, out=out),
    "silu": lambda o: lambda out, x: aten.silu.out(x, out=out),
    "gelu": lambda o: lambda out, x: aten.gelu.out(x, out=out),
    "geluTanh": lambda o: lambda out, x: aten.gelu.out(x, approximate="tanh", out=out),
    "clamp": lambda o: lambda out, x: torch.clamp(x, o["min"], o["max"], out=out),
    "powScalar": lambda o: lambda out, x: torch.pow(x, o["exponent"], out=out),
    "copy": lambda o: lambda out, x: out.copy_(x),
    "transpose": lambda o: lambda out, x: out.copy_(x.transpose(-1, -2)),
    "castFloat64": lambda o: lambda out, x: out.copy_(x),
    "fill": lambda o: lambda out: out.fill_(o["value"]),
    "softmax": lambda o: lambda out, x: torch.softmax(x, o.get("axis", -1), out=out),
    "logSoftmax": lambda o: lambda out, x: torch.log_softmax(x, o.get("axis", -1), out=out),
}


def conv_options(o):
    return dict(stride=o.get("stride", 1), padding=o.get("padding", 0), dilation=o.get("dilation", 1),
                groups=o.get("groups", 1))


def chain(x, y):
    return torch.relu(x * y + 1) * 0.5


def one_hot(index, classes):
    return F.one_hot(index, classes)


def recurrent(op, states):
    """x [steps, batch, features], weights and biases of one layer; starts from zeros."""
    def run(x, w_ih, w_hh, b_ih, b_hh):
        zeros = torch.zeros(1, x.shape[1], w_hh.shape[1])
        state = zeros if states == 1 else [zeros, zeros]
        grad = torch.is_grad_enabled()
        return op(x, state, [w_ih, w_hh, b_ih, b_hh], True, 1, 0.0, grad, False, False)[0]

    return run


SPECIAL = {
    "conv2d": lambda o: lambda x, w, b=None: F.conv2d(x, w, b, **conv_options(o)),
    "convTranspose2d": lambda o: lambda x, w: F.conv_transpose2d(x, w, stride=o["stride"]),
    "geluTanh": lambda o: lambda x: F.gelu(x, approximate="tanh"),
    "powScalar": lambda o: lambda x: torch.pow(x, o["exponent"]),
    "clamp": lambda o: lambda x: torch.clamp(x, o["min"], o["max"]),
    "addInPlace": lambda o: lambda x, y: x.add_(y),
    "chain": lambda o: chain,
    "copy": lambda o: torch.clone,
    "transpose": lambda o: lambda x: x.transpose(-1, -2).contiguous(),
    "castFloat64": lambda o: lambda x: x.double(),
    "fill": lambda o: lambda: torch.full(o["shape"], o["value"]),
    "pad": lambda o: lambda x: F.pad(x, o["padding"]),
    "concat": lambda o: lambda *xs: torch.cat(xs, o["axis"]),
    "gather": lambda o: lambda x, i: torch.gather(x, o["axis"], i),
    "scatterAdd": lambda o: lambda x, i, s: torch.scatter_add(x, o["axis"], i, s),
    "indexSelect": lambda o: lambda x, i: torch.index_select(x, o["axis"], i),
    "indexAdd": lambda o: lambda x, i, s: torch.index_add(x, o["axis"], i, s),
    "oneHot": lambda o: lambda i: one_hot(i, o["classes"]),
    "embedding": lambda o: lambda w, i: F.embedding(i, w),
    "maxPool2d": lambda o: lambda x: F.max_pool2d(x, o["kernel"], o["stride"], o.get("padding", 0)),
    "maxPool2dWithIndices": lambda o: lambda x: F.max_pool2d(
        x, o["kernel"], o["stride"], o.get("padding", 0), return_indices=True
    )[0],
    "avgPool2d": lambda o: lambda x: F.avg_pool2d(x, o["kernel"], o["stride"]),
    "adaptiveAvgPool2d": lambda o: lambda x: F.adaptive_avg_pool2d(x, o["size"]),
    "uniform": lambda o: lambda: torch.rand(o["shape"]),
    "normal": lambda o: lambda: torch.randn(o["shape"]),
    "bernoulli": lambda o: lambda: torch.empty(o["shape"]).bernoulli_(),
    "randint": lambda o: lambda: torch.randint(0, 1000, o["shape"], dtype=torch.int32),
    "permutation": lambda o: lambda: torch.randperm(o["shape"][0]),
    "dropout": lambda o: lambda x: F.dropout(x, o["p"]),
    "layerNorm": lambda o: lambda x, w, b: F.layer_norm(x, x.shape[-1:], w, b),
    "batchNorm": lambda o: lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
    "batchNormAddRelu": lambda o: lambda x, w, b, r: F.relu(F.batch_norm(x, None, None, w, b, training=True) + r),
    "batchNormInference": lambda o: lambda x, m, v, w, b: F.batch_norm(x, m, v, w, b),
    "crossEntropy": lambda o: lambda x, t: F.cross_entropy(x, t),
    "nllLoss": lambda o: lambda x, t: F.nll_loss(x, t),
    "linear": lambda o: F.linear,
    "conv2dPrepared": lambda o: lambda x, w, b: torch.relu_(F.conv2d(x, w, b, **conv_options(o))),
    "linearPrepared": lambda o: lambda x, w, b: torch.relu_(F.linear(x, w, b)),
    "linearRelu": lambda o: lambda x, w, b: torch.relu(F.linear(x, w, b)),
    "mseLoss": lambda o: F.mse_loss,
    "l1Loss": lambda o: F.l1_loss,
    "binaryCrossEntropyWithLogits": lambda o: F.binary_cross_entropy_with_logits,
    "softmax": lambda o: lambda x: torch.softmax(x, o.get("axis", -1)),
    "logSoftmax": lambda o: lambda x: torch.log_softmax(x, o.get("axis", -1)),
    "cumsum": lambda o: lambda x: torch.cumsum(x, o["axis"]),
    "logSumExp": lambda o: lambda x: torch.logsumexp(x, o.get("axis", -1)),
    "max": lambda o: (lambda x: torch.amax(x, o["axis"])) if "axis" in o else torch.amax,
    "min": lambda o: (lambda x: torch.amin(x, o["axis"])) if "axis" in o else torch.amin,
    "variance": lambda o: (lambda x: torch.var(x, o["axis"])) if "axis" in o else torch.var,
    "rmsNorm": lambda o: lambda x, w: F.rms_norm(x, x.shape[-1:], w),
    "groupNorm": lambda o: lambda x, w, b: F.group_norm(x, o["groups"], w, b),
    "lstm": lambda o: recurrent(torch.lstm, 2),
    "gru": lambda o: recurrent(torch.gru, 1),
    "rnn": lambda o: recurrent(torch.rnn_tanh, 1),
    "attention": lambda o: lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=o.get("causal", False)),
}
OPTIMIZERS = {
    "sgdStep": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, fused=True),
    "adamStep": lambda p: torch.optim.Adam(p, lr=0.001, fused=True),
    "rmspropStep": lambda p: torch.optim.RMSprop(p, lr=0.01),
    "adagradStep": lambda p: torch.optim.Adagrad(p, lr=0.01, fused=DEVICE.type == "cpu" or None),
}
INDICES = {"gather": [1], "scatterAdd": [1], "crossEntropy": [1], "nllLoss": [1], "oneHot": [0]}


def finish():
    if DEVICE.type == "cuda":
        torch.cuda.synchronize(DEVICE)


def time_calls(call, args, calls):
    return protocol.time_calls(call, args, calls, finish)


def tensor_of(spec, seed):
    # A view of the base keeps a transposed input transposed.
    t = torch.from_numpy(elements(spec, seed)).to(DEVICE)
    return t.bfloat16() if spec.get("dtype") == "bfloat16" else t


def function_of(case):
    work, options = case["work"], case.get("options", {})
    if work in SPECIAL:
        return SPECIAL[work](options)
    op = RENAMED.get(work) or getattr(torch, work, None)
    if op is None:
        raise Unsupported(f"torch has no {work}")
    return (lambda x: op(x, dim=options["axis"])) if "axis" in options else op


def optimizer_case(case, inputs):
    half = len(inputs) // 2
    for p, g in zip(inputs[:half], inputs[half:]):
        p.requires_grad_(True)
        p.grad = g
    if case["work"] == "clipGradNorm":
        limits = (0.9999 ** i for i in itertools.count(1))  # falling, as in works.ts
        call = lambda: torch.nn.utils.clip_grad_norm_(inputs[:half], next(limits))
        result = call()
    else:
        optimizer = OPTIMIZERS[case["work"]](inputs[:half])
        call = optimizer.step
        call()
        result = inputs[0].detach()
    return call, (), result


def gradient_case(case, inputs):
    which = case["gradient"]
    wanted = [x for x in inputs if x.is_floating_point()] if which == -1 else [inputs[which]]
    op = function_of(case)
    for x in wanted:
        x.requires_grad_(True)
    out = op(*inputs)
    g = tensor_of({"shape": list(out.shape)}, 99)
    for x in wanted:
        x.requires_grad_(False)
    if case["work"] == "conv2d":
        o = conv_options(case.get("options", {}))
        two = lambda n: [n, n]
        mask = [which in (-1, 0), which in (-1, 1), len(inputs) > 2 and which == -1]
        args = (g, inputs[0], inputs[1], [inputs[1].shape[0]] if mask[2] else None, two(o["stride"]), two(o["padding"]),
                two(o["dilation"]), False, [0, 0], o["groups"], mask)
        result = aten.convolution_backward(*args)
        return aten.convolution_backward, args, result[0] if mask[0] else result[1]
    for x in wanted:
        x.requires_grad_(True)
    out = op(*inputs)
    call = lambda: torch.autograd.grad(out, wanted, g, retain_graph=True)
    return call, (), call()[0]


def seconds(call, args):
    """The best of a few calls."""
    return min(time_calls(call, args, 1) for _ in range(4))


def given_case(case, op, inputs, result):
    """The faster of the call that makes its output and the one that is given it, where the op can be given one."""
    if case.get("given") is False or result.numel() < LARGE or case["group"] not in ("elementwise", "reduce", "softmax"):
        return op, inputs
    work = case["work"]
    out = torch.empty_like(result)
    if work in GIVEN:
        form = GIVEN[work](case.get("options", {}))
    elif work in SPECIAL or "axis" in case.get("options", {}):
        return op, inputs
    else:
        form = lambda out, *xs: op(*xs, out=out)
    args = [out, *inputs]
    try:
        with torch.inference_mode():
            faster = seconds(form, args) < seconds(op, inputs)
    except (TypeError, RuntimeError):
        return op, inputs
    return (form, args) if faster else (op, inputs)


def case_of(case, mode):
    inputs = [tensor_of(spec, i) for i, spec in enumerate(case["inputs"])]
    for i in INDICES.get(case["work"], []):
        inputs[i] = inputs[i].long()
    if mode == "channels-last":
        inputs = [x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x for x in inputs]
    if case["group"] == "optim":
        call, args, result = optimizer_case(case, inputs)
    elif "gradient" in case:
        call, args, result = gradient_case(case, inputs)
        if mode == "channels-last":
            args = tuple(x.contiguous(memory_format=torch.channels_last) if torch.is_tensor(x) and x.dim() == 4 else x
                         for x in args)
    else:
        op = function_of(case)
        if mode == "compile":
            op = torch.compile(op)
        result = op(*inputs)
        result = result[0] if isinstance(result, tuple) else result
        if case["work"] == "addInPlace":
            result = result.clone()
        call, args = (op, inputs) if mode else given_case(case, op, inputs, result)
    result = result.detach()
    values = compared((result.float() if result.dtype == torch.bfloat16 else result).cpu().numpy())

    def run(calls):
        with torch.inference_mode("gradient" not in case and case["group"] != "optim"):
            return time_calls(call, args, calls)

    return run, values


def job_of(job, mode):
    import torch_jobs
    state = {name: torch.from_numpy(a).to(DEVICE) for name, a in read_safetensors(job["state"]).items()}
    inputs = {name: torch.from_numpy(a).to(DEVICE) for name, a in read_safetensors(job["inputs"]).items()}
    if job["work"] not in torch_jobs.MODELS and job["work"] not in torch_jobs.SIZED:
        raise Unsupported(f"torch_jobs.py has no {job['work']}")
    step = torch_jobs.make(job, state, inputs, mode.replace("-", "_") or "eager")
    values = [compared(step().detach().cpu().numpy()) for _ in range(job["steps"])]
    return lambda calls: time_calls(step, (), calls), np.concatenate(values)


def hello(request):
    global DEVICE
    DEVICE = torch.device("cuda:0" if request["device"] == "cuda" else request["device"])
    torch.manual_seed(0)
    torch.set_num_threads(request["threads"])
    if DEVICE.type == "cuda":
        if not torch.cuda.is_available():
            raise RuntimeError(f"PyTorch {torch.__version__} sees no GPU")
        torch.cuda.set_device(DEVICE)
        torch.set_default_device(DEVICE)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = request["precision"] == "tf32"
        torch.backends.cudnn.benchmark = True
    return torch.__version__


def prepare(request):
    if request["fresh"] and DEVICE.type == "cuda":  # what the last case left cached would be lacking elsewhere
        gc.collect()
        torch.cuda.empty_cache()
    if "job" in request:
        return job_of(request["job"], request["mode"])
    return case_of(request["case"], request["mode"])


serve(hello, prepare)
