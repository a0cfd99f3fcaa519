"""Probes of the network: short measurements on this machine, of the code that the stages run."""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch

from emulator.config import ExperimentConfig
from emulator.model.build import build_backbone, interface_of
from emulator.networks.summary import blank_inputs, summarise

PROBE_FLOP = 2.0e10
"""Arithmetic of a timed pass, at least a window: a second on a slow core."""


class NetworkSpeed(NamedTuple):
    """Counted costs of the network, and the arithmetic that this machine does in a second."""

    forward_flop: float
    training_flop_per_second: float
    sampling_flop_per_second: float
    device: str
    gpu: bool
    threads: int


def probe_network(config: ExperimentConfig) -> NetworkSpeed:
    """Time a few passes of the network, with and without gradients, on a GPU if there is one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, data = config.model, config.data
    interface = interface_of(
        config.channels,
        config.n_further,
        len(model.params),
        config.diffusion,
        config.training.objective,
        data.dimensions,
    )
    network = build_backbone(model.network, interface)
    inputs = partial(blank_inputs, interface, data.window_shape)
    mixed = config.training.precision == "bf16"
    flop = summarise(network, inputs).forward_flop
    network = network.to(device)
    batch = max(1, min(config.training.batch_size, round(PROBE_FLOP / flop)))
    arguments = [tensor.to(device) for tensor in inputs(batch)]

    def forward() -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            out: torch.Tensor = network(*arguments)
            return out

    def step() -> None:
        forward().float().square().mean().backward()

    with torch.no_grad():
        sampling = _repeated(forward, device)
    training = _repeated(step, device)
    return NetworkSpeed(
        forward_flop=flop,
        training_flop_per_second=3 * flop * batch / training,
        sampling_flop_per_second=flop * batch / sampling,
        device=_name_of(device),
        gpu=device.type == "cuda",
        threads=torch.get_num_threads(),
    )


def _repeated(work: Callable[[], object], device: torch.device, *, times: int = 3) -> float:
    """Mean time of a few calls after a first one that is not timed."""

    def once() -> None:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()

    once()
    began = time.perf_counter()
    for _ in range(times):
        once()
    return (time.perf_counter() - began) / times


def _name_of(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"
