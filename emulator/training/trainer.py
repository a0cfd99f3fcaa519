"""The training stage: from maps and statistics to a bundle, resumable at every step."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment
from torch.utils.data import DataLoader

from emulator.config import ExperimentConfig, maps_file
from emulator.data.dataset import Batch, WindowDataset
from emulator.data.maps import Maps, read_maps
from emulator.diffusion.tables import tabulate
from emulator.io import EmulatorError
from emulator.metadata import commit, provenance
from emulator.model.build import Objective, build_network
from emulator.model.bundle import write_bundle
from emulator.model.card import ModelCard
from emulator.model.conditional import NO_DIFFUSION
from emulator.model.field_transform import FieldTransform, network_channels
from emulator.model.normalisation import Normalisation
from emulator.training.history import History, ProgressLine, StopEarly
from emulator.training.initial import read_initial, require_grid_of
from emulator.training.key import state_key
from emulator.training.lengths import KeepAverages, choose_average
from emulator.training.loaders import (
    residual_windows,
    training_loader,
    training_windows,
    validation_loader,
)
from emulator.training.nodes import meet_nodes
from emulator.training.objectives.base import EmulatorModule, NonFiniteLossError
from emulator.training.objectives.build import build_module
from emulator.training.objectives.consistency import ConsistencyModule
from emulator.training.objectives.diffusion import DiffusionModule
from emulator.training.objectives.one_step import OneStepModule
from emulator.training.objectives.regression import RegressionModule, regression_of
from emulator.training.preflight import (
    check_noise_end,
    check_width,
    common_grid,
    measure_modes,
    require_hardware,
    require_splits,
    require_windows,
    summarise_network,
)
from emulator.training.state import SaveState, SealedFiles, last_state, say
from emulator.training.teacher import read_teacher, require_grid
from emulator.training.tensorboard import TensorBoard

LABELS: dict[Objective, str] = {
    "diffusion": "train",
    "residual": "train",
    "one_step": "train",
    "consistency": "train",
    "regression": "regress",
}
"""Commands, which name progress lines and folders of states."""


def train(
    config: ExperimentConfig,
    normalisation: Normalisation,
    splits: Mapping[str, Sequence[str]],
    *,
    seed: int,
    maps_dir: Path,
    state_dir: Path,
    output: Path,
    objective: Objective | None = None,
) -> None:
    """Train, or go on training, and write the bundle.

    The resume state lies in ``state_dir`` under a name that is a hash of the sections ``data,
    model, diffusion, training`` (but for how windows are loaded), of the seed, of the statistics
    and of the split, and of the weights that it begins with: a changed config never resumes a stale
    state.

    Parameters
    ----------
    config, normalisation, splits
        What to train, fitted statistics, and simulation names by split.
    seed
        Of weights, windows and noise; one of ``training.seeds`` in the workflow.
    maps_dir
        Folder of ``{simulation}.h5``.
    state_dir
        Folder for resume states; outside what the workflow manager deletes.
    output
        Folder of the bundle.
    objective
        What to train; default: ``training.objective``. ``regression`` is the baseline of the
        section ``regression``; its bundle holds the spectrum of its residual, too.

    Raises
    ------
    DataError
        If maps disagree in their grid, or if a resume state is damaged.
    ConfigError
        If a student cannot take over its teacher's network, or a fine-tuning that of its bundle.
    """
    objective = objective or config.training.objective
    label = LABELS[objective]
    if objective == "regression":
        config = regression_of(config)
    elif objective == "one_step":
        config = config.model_copy(update={"diffusion": NO_DIFFUSION})
    require_hardware(config.training)
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    meet_nodes(config.training.num_nodes)
    require_splits(splits)
    teacher = read_teacher(config, normalisation, output) if objective == "consistency" else None
    initial = read_initial(config, normalisation, output)
    if initial is not None:
        normalisation = initial.normalisation
    first = teacher or initial
    begins_with = None if first is None else first.card.weights_sha256
    key = state_key(config, normalisation, splits, seed, begins_with)
    state = Path(state_dir) / f"{label}-{key}" / "state.ckpt"
    lazy = config.training.cache == "none"
    training, validation = (
        [read_maps(maps_file(maps_dir, name), lazy=lazy) for name in splits[split]]
        for split in ("train", "validation")
    )
    window, params = config.data.window_shape, config.model.params
    grid = common_grid([*training, *validation], window, params)
    require_windows(config, training)

    torch.manual_seed(seed)
    if teacher is not None:
        require_grid(teacher, grid)
        network = teacher.student()
    elif initial is not None:
        require_grid_of(initial, grid)
        network = initial.begin(config)
    else:
        network = build_network(config.model.network, config.diffusion, normalisation, objective)
    costs = summarise_network(network, config, normalisation, objective)
    say(f"{label}: seed {seed}, {len(training)} simulations; {costs}", flush=True)
    module = build_module(
        objective, network, FieldTransform(normalisation), config,
        seed=seed, pixel_mpch=grid.pixel, teacher=teacher,
    )  # fmt: skip
    modes = None
    if isinstance(module, DiffusionModule):
        names = network_channels(normalisation.channels)
        check_width(config.model.network, len(names), config.data.dimensions)
    if isinstance(module, DiffusionModule) and objective == "diffusion":
        modes = measure_modes(training_windows(config, training, normalisation, seed), module)
        check_noise_end(modes, module, names)
    if isinstance(module, DiffusionModule | OneStepModule | ConsistencyModule):
        module.measure(training_windows(config, training, normalisation, seed))
    history = History(module.columns())
    callbacks = _build_callbacks(config, history, state, label, normalisation)
    trainer = _build_trainer(config, callbacks)
    windows = training_windows(
        config, training, normalisation, seed,
        rank=trainer.global_rank, world_size=trainer.world_size,
    )  # fmt: skip
    held_out = validation_loader(config, validation, normalisation)
    _fit(
        trainer, module, last_state(state),
        training_loader(config, windows, lambda: trainer.global_step), held_out,
    )  # fmt: skip
    stopped = any(isinstance(c, StopEarly) and c.stopped for c in callbacks)
    if stopped:
        say(f"{label}: stopped early at step {trainer.global_step}", flush=True)
    elif trainer.global_step < config.training.max_steps:
        raise EmulatorError(
            f"training was interrupted at step {trainer.global_step} of "
            f"{config.training.max_steps}; the same command goes on from {state}"
        )
    metrics = history.last()
    if config.training.ema == "power":
        chosen = choose_average(trainer, module, held_out, _averages_of(state))
        say(f"{label}: {chosen}", flush=True)
        history.note(chosen.columns)
        metrics = history.last() | chosen.metrics
    if not trainer.is_global_zero:
        return
    residual = None
    if isinstance(module, RegressionModule):
        module.to(trainer.strategy.root_device)
        residual = module.residual_spectrum(residual_windows(config, validation, normalisation))
    facts = {"splits": dict(splits), "state": key, "threads": torch.get_num_threads()}
    card = ModelCard(
        name=config.name,
        grid=grid,
        network=config.model.network,
        diffusion=config.diffusion,
        normalisation=normalisation,
        training=config.training.model_dump(mode="json", exclude={"seeds", "initial"})
        | {"seed": seed, "objective": objective}
        | ({} if teacher is None else {"consistency": _ladder(config)}),
        metrics=metrics,
        attributes=provenance(label, torch=str(torch.__version__), **facts)
        | _origin(training)
        | ({} if first is None else first.attributes()),
        weights_sha256="",
        schedule=_learned_schedule(module) if teacher is None else teacher.card.schedule,
        modes=None if modes is None else modes.to_lists(),
    )
    write_bundle(
        output,
        card,
        raw=module.network.state_dict(),
        ema=module.ema.module.state_dict(),
        history=history.to_csv(),
        residual=residual,
    )


def _build_callbacks(
    config: ExperimentConfig,
    history: History,
    state: Path,
    label: str,
    normalisation: Normalisation,
) -> list[pl.Callback]:
    """In the order in which they act at the end of an epoch: what is saved has seen it all."""
    training = config.training
    callbacks: list[pl.Callback] = [history]
    if training.ema == "power":
        callbacks.append(KeepAverages(_averages_of(state), training))
    if training.early_stopping is not None:
        callbacks.append(StopEarly(training.early_stopping, history))
    if training.tensorboard:
        fields = [channel.name for channel in normalisation.channels]
        callbacks.append(TensorBoard(state.parent / "tensorboard", history, fields))
    callbacks.append(SaveState(state, history, training.accumulate))
    return [*callbacks, ProgressLine(label, training.max_steps)]


def _averages_of(state: Path) -> Path:
    """Folder of averages that are kept until their length is chosen."""
    return state.parent / "averages"


def _fit(
    trainer: pl.Trainer,
    module: EmulatorModule[Any],
    resume: Path | None,
    batches: DataLoader[Batch],
    validation: DataLoader[Batch],
) -> None:
    """Run Lightning, and say what went wrong in words that help."""
    wanted = module.training_config.devices * module.training_config.num_nodes
    if trainer.world_size != wanted:
        raise EmulatorError(
            f"training runs on {trainer.world_size} devices, but training.devices x num_nodes asks "
            f"for {wanted}: start one process a device, or let one process start them"
        )
    if resume is not None:
        say(f"train: going on from {resume}", flush=True)
    try:
        trainer.fit(
            module,
            batches,
            validation,
            ckpt_path=None if resume is None else str(resume),
            weights_only=True,
        )
    except NonFiniteLossError as error:
        guilty = cast(WindowDataset, batches.dataset).simulations_of(error.step, error.rows)
        raise EmulatorError(
            f"the training loss is not finite at step {error.step}, for windows of "
            f"{', '.join(guilty)}. The last good state is kept; lower training.learning_rate or "
            "use training.precision: '32', and look at these simulations"
        ) from error
    except torch.cuda.OutOfMemoryError as error:
        raise EmulatorError(
            f"the GPU has no memory left ({error}). Raise training.accumulate (the same training "
            "in smaller parts), set model.network.checkpointing: true, or lower training.batch_size"
        ) from error


def _build_trainer(config: ExperimentConfig, callbacks: list[pl.Callback]) -> pl.Trainer:
    # Lightning's start-up messages are about hardware and advertise; its warnings stay
    for name in ("pytorch_lightning.utilities.rank_zero", "pytorch_lightning.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # batches take 2 % of a step on a CPU without workers; the averaged copy is in eval mode on
    # purpose; our sampler counts on from the step; the last is Lightning's own use of torch
    expected = ("does not have many workers", "in eval mode at the start",
                "dataloader is not resumable", "LeafSpec")  # fmt: skip
    for message in expected:
        warnings.filterwarnings("ignore", message=f".*{message}.*")
    return pl.Trainer(
        accelerator=config.training.accelerator,
        devices=config.training.devices,
        num_nodes=config.training.num_nodes,
        strategy="ddp" if config.training.devices * config.training.num_nodes > 1 else "auto",
        accumulate_grad_batches=config.training.accumulate,
        # under Slurm one task of a Snakemake job would be taken for the whole world
        plugins=[LightningEnvironment(), SealedFiles()],
        precision="bf16-mixed" if config.training.precision == "bf16" else "32-true",
        max_steps=config.training.max_steps,
        gradient_clip_val=config.training.gradient_clip,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


def _learned_schedule(module: EmulatorModule[Any]) -> tuple[float, ...] | None:
    """Table of a schedule that has parameters."""
    if not isinstance(module, DiffusionModule) or not any(
        True for _ in module.schedule.parameters()
    ):
        return None
    return tuple(tabulate(module.schedule))


def _ladder(config: ExperimentConfig) -> dict[str, Any]:
    """What drawing must know of a distillation; where the teacher lay is nobody's business."""
    return config.consistency.model_dump(mode="json", exclude={"teacher"})


def _origin(maps: Sequence[Maps]) -> dict[str, str]:
    """Suites and notices of the maps, and the commit of the code."""
    said = {"commit": commit()}
    for key in ("suite", "notice"):
        values = {str(each.attrs[key]) for each in maps if key in each.attrs}
        said[key] = "; ".join(sorted(values))
    return {key: text for key, text in said.items() if text}
