"""Shares of a training step that are not the network: batches, the moving average, the log."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from analysis.benchmarks.data.loader import normalisation, write_store
from analysis.benchmarks.tables import INFINITY, Bar, Measurement
from emulator.config import read_config
from emulator.data.dataset import WindowDataset
from emulator.training.history import History, ProgressLine
from emulator.training.objectives.base import EmulatorModule
from emulator.training.trainer import train

N_PIXELS, FACTORS, STEPS, WARM_UP = 128, (2, 4), 100, 20
DEMO = Path(__file__).parents[3] / "configs/demo.yaml"


def measure() -> list[Measurement]:
    """All of this section: a minute."""
    config = read_config(DEMO)
    model = config.model.model_copy(update={"params": ("A",)})
    training = config.training.model_copy(
        update={"max_steps": STEPS, "checkpoint_steps": STEPS, "ensemble_every": 0}
    )
    config = config.model_copy(update={"model": model, "training": training})
    clock = Clock()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(4):
            write_store(folder, number, N_PIXELS, FACTORS)
        splits = {"train": ["SB_0", "SB_1", "SB_2"], "validation": ["SB_3"]}
        with watched(clock):
            train(config, normalisation(FACTORS), splits, seed=0, maps_dir=folder,
                  state_dir=folder / "state", output=folder / "model")  # fmt: skip
    whole = clock.finished - clock.began
    shares = {name: seconds / whole for name, seconds in clock.spent.items()}
    rows = [[name, f"{1e3 * clock.spent[name] / (STEPS - WARM_UP):.2f}", f"{share:.2%}"]
            for name, share in shares.items()]  # fmt: skip
    rows.append(["whole step", f"{1e3 * whole / (STEPS - WARM_UP):.1f}", "100%"])
    bars = [
        Bar("making batches, share of a step", shares["batches"], -INFINITY, 0.03),
        Bar("average and log, share of a step",
            shares["moving average"] + shares["log"], -INFINITY, 0.03),
    ]  # fmt: skip
    note = (
        f"Network and batch of `demo` (the cheapest step there is, so the largest shares), "
        f"{STEPS - WARM_UP} steps after {WARM_UP}, in one process; maps of {N_PIXELS}^2 in memory."
    )
    return [Measurement("Shares of a step", note, bars, ["part", "time [ms]", "share"], rows)]


class Clock:
    """Seconds spent in parts of a step, once warm."""

    def __init__(self) -> None:
        self.spent = {"batches": 0.0, "moving average": 0.0, "log": 0.0}
        self.step, self.began, self.finished = 0, 0.0, 0.0

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Count the time of a function towards a part."""

        def run(*args: Any, **options: Any) -> Any:
            began = time.perf_counter()
            result = function(*args, **options)
            if self.step >= WARM_UP:
                self.spent[part] += time.perf_counter() - began
            return result

        return run

    def counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Note when a step begins."""

        def run(*args: Any, **options: Any) -> Any:
            self.step += 1
            self.finished = time.perf_counter()
            if self.step == WARM_UP:
                self.began = self.finished
            return function(*args, **options)

        return run


@contextmanager
def watched(clock: Clock) -> Iterator[None]:
    """Count the time of batches, average and log while training runs."""
    parts: list[tuple[type, str, str]] = [
        (WindowDataset, "__getitem__", "batches"),
        (EmulatorModule, "on_train_batch_end", "moving average"),
        (History, "on_train_batch_end", "log"),
        (ProgressLine, "on_train_batch_end", "log"),
    ]
    patches = [
        mock.patch.object(owner, method, clock.timed(part, getattr(owner, method)))
        for owner, method, part in parts
    ]
    step = EmulatorModule.training_step
    patches.append(mock.patch.object(EmulatorModule, "training_step", clock.counted(step)))
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()
