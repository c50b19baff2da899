"""Makes the golden files beside this script: what PyTorch computes for whole models and for single layers.

    pip install torch==2.13.0 numpy
    python3 test/golden/make.py

Everything is computed in float64 from weights and inputs that float32 holds exactly (small integers times a power of
two), so one file judges both dtypes: float64 to its last digits, float32 by its own rounding alone.
"""

import json
import pathlib
import sys

import torch

from pytorch import layers, models, sequences

PINNED = "2.13.0"


def write(name, content):
    path = pathlib.Path(__file__).parent / f"{name}.json"
    text = json.dumps({"torch": PINNED, **content}, separators=(",", ":"))
    path.write_text(text.replace(',"', ',\n"') + "\n")
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB")


def main():
    found = torch.__version__.split("+")[0]
    if found != PINNED:
        sys.exit(f"these files are made with torch {PINNED}, found {found}")
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    lenet5 = models.lenet5()
    write("lenet5-training", {"runs": lenet5.pop("runs")})
    write("lenet5", lenet5)
    write("mlp", models.mlp())
    write("resnet", models.resnet())
    write("layers", {"cases": layers.cases()})
    write("sequences", {"cases": sequences.cases()})


if __name__ == "__main__":
    main()
