"""Whole models: weights, outputs, loss, every gradient, and ten training steps with several optimizers."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from .arrays import encode, encode_all, encode_exact, snap

STEPS = 10


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc3(F.relu(self.fc2(x)))


class Block(nn.Module):
    """A basic residual block; the shortcut is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(4)
        self.blocks = nn.Sequential(Block(4, 4, 1), Block(4, 8, 2), Block(8, 8, 1))
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = self.blocks(F.relu(self.bn(self.conv(x))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    "sgdNesterov": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    "adam": (torch.optim.Adam, {"lr": 0.01}),
    "adamw": (torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}),
}


def prepare(model):
    """PyTorch's initialisation, but with nothing left at 0 or 1, where mistakes would not show."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.3, 0.3)
        for parameter in model.parameters():
            parameter.copy_(snap(parameter))
    return model


def train(model, make, options, inputs, targets, loss_of):
    model = copy.deepcopy(model)
    optimizer = make(model.parameters(), **options)
    losses = []
    for x, y in zip(inputs, targets):
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, losses


def record(model, inputs, targets, loss_options, names, dtype):
    """dtype: how results are stored; what is given is stored exactly."""

    def loss_of(logits, y):
        return F.cross_entropy(logits, y, **loss_options)

    model = prepare(model)
    first = copy.deepcopy(model)
    x = inputs[0].clone().requires_grad_()
    logits = first(x)
    loss = loss_of(logits, targets[0])
    loss.backward()
    runs = {}
    for name in names:
        trained, losses = train(model, *OPTIMIZERS[name], inputs, targets, loss_of)
        state = trained.state_dict().items()
        trained.eval()
        runs[name] = {
            "losses": losses,
            "final": encode_all(state, dtype),
            "evaluated": encode(trained(inputs[0]), dtype),
        }
    return {
        "initial": encode_all(model.named_parameters(), exact=True),
        "inputs": encode_exact(inputs),
        "targets": encode(targets),
        "logits": encode(logits, dtype),
        "loss": loss.item(),
        "inputGradient": encode(x.grad, dtype),
        "gradients": encode_all([(k, p.grad) for k, p in first.named_parameters()], dtype),
        "runs": runs,
    }


def batches(shape, classes):
    """Noisy copies of one pattern a class: something that can be learnt, so that the losses have to fall."""
    patterns = torch.randn(classes, *shape[1:])
    targets = torch.randint(classes, (STEPS, shape[0]))
    return snap(patterns[targets] + 0.3 * torch.randn(STEPS, *shape)), targets


def lenet5():
    torch.manual_seed(1)
    # 61,706 weights: results in single precision keep the file small.
    return record(LeNet5(), *batches((8, 1, 28, 28), 10), {}, ["sgd", "adam"], torch.float32)


def mlp():
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 8), nn.GELU(), nn.Linear(8, 4))
    return record(model, *batches((16, 12), 4), {"label_smoothing": 0.1}, list(OPTIMIZERS), torch.float64)


def resnet():
    torch.manual_seed(3)
    return record(ResNet(), *batches((6, 3, 10, 10), 5), {}, list(OPTIMIZERS), torch.float64)
