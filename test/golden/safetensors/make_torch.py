"""Writes torch.safetensors, a checkpoint as PyTorch users have them (pip install safetensors torch)."""

import pathlib

import safetensors.torch
import torch

torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Conv2d(1, 2, 3),
    torch.nn.BatchNorm2d(2),
    torch.nn.Flatten(),
    torch.nn.Linear(8, 4),
)
for _ in range(3):
    model(torch.randn(5, 1, 4, 4))
state = model.state_dict()
state["3.weight"] = state["3.weight"].half()
model[3].weight.data = state["3.weight"].float()  # what is read back from float16
state["expected"] = model.eval()(torch.arange(16.0).reshape(1, 1, 4, 4)).detach()
safetensors.torch.save_file(state, pathlib.Path(__file__).parent / "torch.safetensors")
