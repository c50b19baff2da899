"""PyTorch's side of the benchmarks: reads one JSON request a line, answers one JSON line.

{"prepare": case, "threads": n} makes the work of a case; {"run": calls} answers the seconds that many calls took.
"""
import json
import sys
import time

import torch
from torch import nn


def model(work):
    if work == "tiny":
        return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    if work == "mlp":
        return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def step(work, batch):
    net = model(work)
    if work == "mlp":
        optimizer = torch.optim.Adam(net.parameters())
    else:
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0 if work == "tiny" else 0.9)
    shape = {"tiny": [2], "mlp": [784], "lenet5": [1, 28, 28]}[work]
    x = torch.randn(batch, *shape)
    labels = torch.randint(0, 2 if work == "tiny" else 10, (batch,))

    def run():
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), labels).backward()
        optimizer.step()

    return run


def call(work, shapes, options):
    inputs = [torch.rand(*s) for s in shapes]
    functions = {
        "conv2d": lambda x, w: nn.functional.conv2d(x, w, **options),
        "gelu": nn.functional.gelu,
        "softmax": lambda x: torch.softmax(x, 1),
    }
    op = functions.get(work) or getattr(torch, work)

    def run():
        with torch.no_grad():
            op(*inputs)

    return run


work = None
for line in sys.stdin:
    request = json.loads(line)
    if "prepare" in request:
        case = request["prepare"]
        torch.set_num_threads(request["threads"])
        if case["group"] == "train":
            work = step(case["work"], case["batch"])
        else:
            work = call(case["work"], case["shapes"], case.get("options", {}))
        answer = {"version": torch.__version__}
    else:
        start = time.perf_counter()
        for _ in range(request["run"]):
            work()
        answer = {"seconds": time.perf_counter() - start}
    print(json.dumps(answer), flush=True)
