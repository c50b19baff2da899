"""PyTorch's side of the jobs in benchmarks/jobs: the same models, loaded with the same weights, on the same data.

    step = make(job, state, inputs, mode)

`job` is what peer.ts calls a JobRequest, `state` and `inputs` are dicts of tensors; `mode` is "eager", "compile",
"channels_last" or "amp" (products in bfloat16; images with channels last). A call of `step` is one training step (it
returns the loss) or one inference (it returns the output).
"""
import torch
from torch import nn
from torch.nn import functional as F


def tiny():
    return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))


def mlp():
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


def lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def conv(inputs, outputs, kernel, stride):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv(outputs, outputs, 3, 1), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if inputs != outputs:
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        past = x if self.downsample is None else self.downsample(x)
        return self.relu(self.bn2(self.conv2(y)) + past)


class Bottleneck(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        width = outputs // 4
        self.conv1, self.bn1 = conv(inputs, width, 1, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, outputs, 1, 1), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if inputs != outputs:
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        past = x if self.downsample is None else self.downsample(x)
        return self.relu(self.bn3(self.conv3(y)) + past)


def stage(inputs, outputs, blocks, stride, block=BasicBlock):
    return nn.Sequential(*(block(inputs if i == 0 else outputs, outputs, stride if i == 0 else 1)
                           for i in range(blocks)))


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = conv(3, 16, 3, 1), nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3 = stage(16, 16, 3, 1), stage(16, 32, 3, 2), stage(32, 64, 3, 2)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.layer3(self.layer2(self.layer1(y)))
        return self.fc(F.adaptive_avg_pool2d(y, 1).flatten(1))


class ResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = conv(3, 64, 7, 2), nn.BatchNorm2d(64)
        self.layer1, self.layer2 = stage(64, 64, 2, 1), stage(64, 128, 2, 2)
        self.layer3, self.layer4 = stage(128, 256, 2, 2), stage(256, 512, 2, 2)
        self.fc = nn.Linear(512, 1000)

    def forward(self, x):
        y = F.max_pool2d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, 2, 1)
        y = self.layer4(self.layer3(self.layer2(self.layer1(y))))
        return self.fc(F.adaptive_avg_pool2d(y, 1).flatten(1))


class ResNet50(ResNet18):
    def __init__(self, classes):
        nn.Module.__init__(self)
        self.conv1, self.bn1 = conv(3, 64, 7, 2), nn.BatchNorm2d(64)
        self.layer1, self.layer2 = stage(64, 256, 3, 1, Bottleneck), stage(256, 512, 4, 2, Bottleneck)
        self.layer3, self.layer4 = stage(512, 1024, 6, 2, Bottleneck), stage(1024, 2048, 3, 2, Bottleneck)
        self.fc = nn.Linear(2048, classes)


class CharLstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(65, 128)
        self.lstm = nn.LSTM(128, 256, num_layers=2, batch_first=True)
        self.out = nn.Linear(256, 65)

    def forward(self, x):
        output, _ = self.lstm(self.embedding(x))
        return self.out(output.flatten(0, 1))


class Attention(nn.Module):
    """nn.MultiheadAttention's parameters around the fused attention, as GPT implementations have it."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = F.linear(x, self.in_proj_weight, self.in_proj_bias).split(c, dim=2)
        q, k, v = (s.view(n, t, self.heads, c // self.heads).transpose(1, 2) for s in (q, k, v))
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out_proj(out.transpose(1, 2).contiguous().view(n, t, c))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.linear1, self.linear2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x):
        x = x + self.self_attn(self.norm1(x))
        return x + self.linear2(F.gelu(self.linear1(self.norm2(x))))


class Gpt(nn.Module):
    """Of the sizes that its weights have; without a head its scores are made with the embeddings."""

    def __init__(self, state, heads):
        super().__init__()
        symbols, width = state["tokens.weight"].shape
        self.tokens, self.positions = nn.Embedding(symbols, width), nn.Embedding(len(state["positions.weight"]), width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(sum(".norm1.weight" in k for k in state)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, symbols, bias=False) if "head.weight" in state else None

    def forward(self, x):
        y = self.tokens(x) + self.positions(torch.arange(x.shape[1]))
        for block in self.blocks:
            y = block(y)
        return F.linear(self.norm(y), (self.head or self.tokens).weight).flatten(0, 1)


MODELS = {
    "tiny": tiny, "mlp": mlp, "mlp1": mlp, "lenet5": lenet5, "lstm": CharLstm, "resnet20": ResNet20,
    "resnet18": ResNet18,
}
# Those whose sizes are the job's: made from its weights.
SIZED = {
    "resnet50": lambda state, job: ResNet50(len(state["fc.bias"])),
    "gpt": lambda state, job: Gpt(state, job["heads"]),
    "gpt2": lambda state, job: Gpt(state, job["heads"]),
}

OPTIMIZERS = {
    "tiny": lambda p: torch.optim.SGD(p, lr=0.01),
    "mlp": lambda p: torch.optim.Adam(p, lr=0.001),
    "lenet5": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
    "resnet20": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
    "lstm": lambda p: torch.optim.Adam(p, lr=0.002),
    "gpt": lambda p: torch.optim.AdamW(p, lr=0.001),
    "gpt2": lambda p: torch.optim.AdamW(p, lr=0.0003, fused=True),
    "resnet50": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, fused=True),
}


def make(job, state, inputs, mode):
    work, kind = job["work"], job["kind"]
    device = inputs["x"].device
    model = (SIZED[work](state, job) if work in SIZED else MODELS[work]()).to(device)
    model.load_state_dict(state)
    inputs = dict(inputs)
    if not inputs["x"].is_floating_point():
        inputs["x"] = inputs["x"].long()
    if mode in ("channels_last", "amp") and inputs["x"].dim() == 4:
        model = model.to(memory_format=torch.channels_last)
        inputs["x"] = inputs["x"].to(memory_format=torch.channels_last)
    model.train(kind == "train")
    called = torch.compile(model) if mode == "compile" else model
    x = inputs["x"]
    if kind == "infer":

        def infer():
            with torch.inference_mode():
                return called(x)

        return infer

    optimizer = OPTIMIZERS[work](model.parameters())
    target = inputs["target"].long()

    def train():
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=mode == "amp"):
            loss = F.cross_entropy(called(x), target)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return train
