"""What painting asks for: members of whole boxes, by the size of the box and of the network."""

from typing import NamedTuple

from emulator.config import ExperimentConfig, TrainedModel
from emulator.cost.network import network_cost
from emulator.cost.requests import (
    GPU_FLOP_PER_SECOND,
    GPU_MB,
    Request,
    evaluations_of_member,
    mb,
    minutes_of,
)
from emulator.sampling.batches import MOST
from emulator.sampling.painting.network import KEPT_PIXELS
from emulator.sampling.painting.plan import Painting
from emulator.suites.base import Suite

KEPT = 12
"""Copies of the fields of a box that a draw holds at a time, its noise and sums among them."""


def of_trained(config: ExperimentConfig, trained: TrainedModel | None) -> ExperimentConfig:
    """The experiment with the network, window and objective of the model that paints.

    ``None`` is the model of the experiment itself.
    """
    if trained is None:
        return config
    card = trained.card
    return config.model_copy(
        update={
            "model": config.model.model_copy(update={"network": card.network}),
            "data": config.data.model_copy(update={"window": card.grid.window}),
            "training": config.training.model_copy(
                update={"objective": card.training.objective, "precision": card.training.precision}
            ),
        }
    )


def windows_of_box(config: ExperimentConfig, n_pixels: int) -> int:
    """Windows that the network sees of a box in each evaluation."""
    stride = max(1, round(config.data.window * (1.0 - config.painting.overlap)))
    return (-(-n_pixels // stride)) ** 2


def box_bytes(config: ExperimentConfig, n_pixels: int) -> float:
    """A painted member, float32; also that of a file."""
    return 4.0 * (1 + len(config.channels)) * n_pixels**2


def painting_bytes(config: ExperimentConfig, n_pixels: int) -> float:
    """Memory of one draw: windows of a batch with their surroundings, those kept, and the box."""
    layers = 1 + len(config.data.context_factors)
    asked = config.sampling.batch_size
    window = layers * config.data.window**2
    n_windows = windows_of_box(config, n_pixels)
    at_once = min(n_windows, MOST if asked == "auto" else asked) * window
    kept = min(n_windows * window, KEPT_PIXELS)
    return 4.0 * (at_once + kept) + KEPT * box_bytes(config, n_pixels)


def painting_flop(config: ExperimentConfig, n_pixels: int) -> float:
    """Arithmetic of one member of one map."""
    seen = windows_of_box(config, n_pixels) * evaluations_of_member(config)
    return seen * network_cost(config).forward_flop


def paint_request(config: ExperimentConfig, n_pixels: int) -> Request:
    """What a job asks for that paints ``painting.members_per_job`` members of one map.

    Parameters
    ----------
    config
        The experiment, with the network of the model that paints (:func:`of_trained`).
    n_pixels
        Of the box, a side.
    """
    network, members = network_cost(config), config.painting.members_per_job
    # a batch of windows is drawn at a time, without what a backward pass would keep
    memory = painting_bytes(config, n_pixels) + 4 * network.n_weights
    seconds = members * painting_flop(config, n_pixels) / GPU_FLOP_PER_SECOND
    return Request(mb(GPU_MB, memory), minutes_of(seconds, least=30), gpus=1)


class PaintingWork(NamedTuple):
    """All jobs of the target `paint`: how many, their arithmetic and files, and the largest."""

    jobs: int
    flop: float
    disk_bytes: float
    request: Request
    config: ExperimentConfig
    """With the network that paints."""


def painting_work(config: ExperimentConfig, suite: Suite) -> PaintingWork | None:
    """Work of all boxes that the config names; None where it names none, or no model for them.

    Raises
    ------
    EmulatorError
        What :class:`~emulator.sampling.painting.plan.Painting` refuses.
    """
    asked = config.painting
    if not asked.boxes(config.suite) or (asked.model is None and not suite.has_twins):
        return None
    painting = Painting(config, suite)
    own = of_trained(config, painting.trained)
    boxes = [painting.box(name) for name in painting.names]
    sizes = [box.n_pixels or config.data.n_pixels for box in boxes for _ in box.projections]
    return PaintingWork(
        len(sizes) * len(asked.jobs),
        asked.n_members * sum(painting_flop(own, size) for size in sizes),
        asked.n_members * sum(box_bytes(own, size) for size in sizes),
        paint_request(own, max(sizes)),
        own,
    )
