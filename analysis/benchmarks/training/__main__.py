"""Measure and write ``training.json`` and ``training.md``."""

import platform

import torch

from analysis.benchmarks.runner import run_sections
from analysis.benchmarks.training import ablation, network, step

run_sections(
    "training",
    {"network": network, "step": step, "ablation": ablation},
    f"""# Training: speed of the network and shares of a step

Written by `make bench-training` and `make bench-ablation` on an otherwise idle machine; bars that
are missed stay in the table. Peers are measured in the same run, in turn with ours. Last run on
{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}. No GPU was at
hand: the GPU's column is empty, and samples/s, TFLOP/s and memory on one are not measured.""",
)
