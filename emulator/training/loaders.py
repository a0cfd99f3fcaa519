"""Batches of training and validation."""

import signal
from collections.abc import Callable, Sequence

import torch
from torch.utils.data import DataLoader

from emulator.config import ExperimentConfig
from emulator.data.dataset import Batch, StepSampler, WindowDataset
from emulator.data.maps import Maps
from emulator.model.normalisation import Normalisation
from emulator.model.windows import windows_for
from emulator.training.state import SIGNALS

VALIDATION_BATCH = 64
VALIDATION_SEED = 0


def training_windows(
    config: ExperimentConfig,
    maps: Sequence[Maps],
    normalisation: Normalisation,
    seed: int,
    *,
    rank: int = 0,
    world_size: int = 1,
) -> WindowDataset:
    """Windows of every step; the share of one process."""
    return windows_for(
        normalisation,
        maps,
        window=config.data.window_shape,
        batch_size=config.training.batch_size,
        seed=seed,
        accumulate=config.training.accumulate,
        rank=rank,
        world_size=world_size,
        mass_tilt=config.training.mass_tilt,
    )


def training_loader(
    config: ExperimentConfig, dataset: WindowDataset, current_step: Callable[[], int]
) -> DataLoader[Batch]:
    """One epoch of batches, counted on from the current step."""
    sampler = StepSampler(
        config.training.checkpoint_steps, current_step, config.training.accumulate
    )
    n_workers = config.training.loader_workers
    return DataLoader(
        dataset,
        batch_size=None,
        sampler=sampler,
        num_workers=n_workers,
        persistent_workers=n_workers > 0,
        # a forked process shares the maps in memory; another would get a copy
        multiprocessing_context="fork" if n_workers else None,
        worker_init_fn=leave_signals_to_the_parent if n_workers else None,
        pin_memory=torch.cuda.is_available(),
    )


def unseen_windows(dataset: WindowDataset, n_windows: int) -> list[Batch]:
    """Batches of at least ``n_windows`` training windows, of steps that no training has."""
    first, n_steps = 2**31, -(-n_windows // dataset.batch_size)
    parts = range(first * dataset.accumulate, (first + n_steps) * dataset.accumulate)
    return [dataset[part] for part in parts]


def leave_signals_to_the_parent(worker: int) -> None:
    """A scheduler signals all processes of a job; the training answers, once its step is done.

    Workers that died of the signal would take the step, and the state that it leads to, with them.
    They end with the training.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def residual_windows(
    config: ExperimentConfig, maps: Sequence[Maps], normalisation: Normalisation
) -> WindowDataset:
    """Windows of the validation split for the spectrum of a residual, drawn without tilt."""
    return windows_for(
        normalisation,
        maps,
        window=config.data.window_shape,
        batch_size=VALIDATION_BATCH,
        seed=VALIDATION_SEED,
        stream=2**31 + 1,
    )


def validation_loader(
    config: ExperimentConfig, maps: Sequence[Maps], normalisation: Normalisation
) -> DataLoader[Batch]:
    """Fixed windows, the same for every seed, drawn without tilt from a stream of their own."""
    dataset = windows_for(
        normalisation,
        maps,
        window=config.data.window_shape,
        batch_size=min(VALIDATION_BATCH, config.training.validation_windows),
        seed=VALIDATION_SEED,
        stream=2**31,
    )
    n_batches = -(-config.training.validation_windows // VALIDATION_BATCH)
    return DataLoader(dataset, batch_size=None, sampler=range(n_batches))
