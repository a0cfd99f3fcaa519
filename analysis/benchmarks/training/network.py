"""Throughput of the U-Net against the one of diffusers, at equal arithmetic."""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from analysis.benchmarks.tables import INFINITY, Bar, Measurement
from emulator.config import DiTConfig, UNetConfig
from emulator.networks.backbone import Backbone, Interface
from emulator.networks.dit import DiT
from emulator.networks.summary import summarise
from emulator.networks.unet import UNetVDM

WINDOW, BATCH, N_CHANNELS, N_FIELDS, N_PARAMS, REPEATS = 128, 2, 4, 4, 35, 5

UNET = UNetConfig(
    patch=2, widths=(144, 240, 304, 352), blocks=2, attention_levels=(3,), heads=8, embedding=256
)
DIT = DiTConfig(kind="dit", patch=4, width=384, depth=14, heads=6)
PEER_WIDTHS = (56, 104, 192, 288)

Run = Callable[[], Tensor]


def inputs(batch: int) -> list[Tensor]:
    """Arguments of a backbone."""
    space = (WINDOW, WINDOW)
    return [
        torch.randn(batch, N_CHANNELS, *space), torch.zeros(batch),
        torch.randn(batch, N_FIELDS, *space), torch.zeros(batch, N_PARAMS),
        torch.ones(batch, N_PARAMS),
    ]  # fmt: skip


def measure() -> list[Measurement]:
    """All of this section: five minutes on two cores."""
    from diffusers import UNet2DModel

    torch.manual_seed(0)
    interface = Interface(N_CHANNELS, N_FIELDS - 1, N_PARAMS)
    ours: dict[str, Backbone] = {"UNetVDM": UNetVDM(UNET, interface), "DiT": DiT(DIT, interface)}
    memory = summarise(ours["UNetVDM"], inputs, autocast=True)
    n_in = N_CHANNELS + 3 * N_FIELDS
    peer = UNet2DModel(
        sample_size=WINDOW, in_channels=n_in, out_channels=N_CHANNELS, layers_per_block=2,
        block_out_channels=PEER_WIDTHS, norm_num_groups=8,
        down_block_types=("DownBlock2D",) * 3 + ("AttnDownBlock2D",),
        up_block_types=("AttnUpBlock2D",) + ("UpBlock2D",) * 3,
    )  # fmt: skip
    peer_in = torch.randn(BATCH, n_in, WINDOW, WINDOW)
    steps = torch.zeros(BATCH)
    runs: dict[tuple[str, str], tuple[nn.Module, Run]] = {}
    for name, network in ours.items():
        arguments = inputs(BATCH)
        for precision in ("fp32", "bf16"):
            runs[name, precision] = network, _call(network, arguments, precision)
    last = peer_in.contiguous(memory_format=torch.channels_last)
    runs["diffusers", "fp32"] = peer, lambda: peer(peer_in, steps).sample
    runs["diffusers", "bf16"] = peer, _autocast(lambda: peer(last, steps).sample)
    flop = {name: _flop(run) for (name, precision), (_, run) in runs.items() if precision == "fp32"}
    seconds = _alternate({key: run for key, (_, run) in runs.items()})

    rate = {key: flop[key[0]] / seconds[key] / 1e9 for key in runs}
    rows = []
    for (name, precision), (module, _) in runs.items():
        weights = sum(p.numel() for p in module.parameters()) / 1e6
        rows.append([
            name, precision, f"{weights:.1f}", f"{flop[name] / BATCH / 1e9:.1f}",
            f"{BATCH / seconds[name, precision]:.2f}", f"{rate[name, precision]:.0f}", "",
        ])  # fmt: skip
    bars = [
        Bar("UNetVDM over diffusers, GFLOP/s, fp32",
            rate["UNetVDM", "fp32"] / rate["diffusers", "fp32"], 1.0, INFINITY),
        Bar("UNetVDM: bf16 and channels_last over fp32",
            rate["UNetVDM", "bf16"] / rate["UNetVDM", "fp32"], 1.8, INFINITY),
        Bar("UNetVDM: weights [M]",
            sum(p.numel() for p in ours["UNetVDM"].parameters()) / 1e6, -INFINITY, 60.0),
        Bar("UNetVDM: GFLOP a forward pass", flop["UNetVDM"] / BATCH / 1e9, 45.0, 56.0),
    ]  # fmt: skip
    note = (
        f"Forward passes of {BATCH} windows of {WINDOW}^2 with {N_FIELDS} condition and context "
        f"fields and {N_PARAMS} parameters, median of {REPEATS} runs in turn. diffusers' "
        f"UNet2DModel has widths {PEER_WIDTHS}, the same inputs as channels and no parameters; it "
        "gets channels_last in bf16, as ours always does. Training ours with a batch of 128 needs "
        f"about {memory.training_bytes(128) / 1e9:.0f} GB."
    )
    header = [
        "network", "precision", "weights [M]", "GFLOP a window", "windows/s", "GFLOP/s",
        "GPU windows/s",
    ]  # fmt: skip
    return [Measurement("Forward pass", note, bars, header, rows)]


def _call(network: nn.Module, arguments: list[Tensor], precision: str) -> Run:
    network.requires_grad_(False).eval()

    def run() -> Tensor:
        out: Tensor = network(*arguments)
        return out

    return _autocast(run) if precision == "bf16" else run


def _autocast(run: Run) -> Run:
    def mixed() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return run()

    return mixed


def _flop(run: Run) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    total: int = counter.get_total_flops()
    return total


def _alternate(runs: dict[tuple[str, str], Run]) -> dict[tuple[str, str], float]:
    """Median seconds of each, run in turn."""
    found: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
    with torch.inference_mode():
        for repeat in range(REPEATS + 1):
            for key, run in runs.items():
                began = time.perf_counter()
                run()
                if repeat:  # the first is a warm-up
                    found[key].append(time.perf_counter() - began)
    return {key: float(np.median(values)) for key, values in found.items()}
