"""The training stage: from maps and statistics to a bundle, resumable at every epoch."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from torch.utils.data import DataLoader

from emulator.config import ExperimentConfig, TrainingConfig
from emulator.data.dataset import Batch, StepSampler, WindowDataset
from emulator.data.maps import Maps, read_maps
from emulator.data.normalisation import Normalisation
from emulator.data.transforms import FieldTransform, network_channels
from emulator.diffusion.spectrum import (
    ModeStatistics,
    expected_error,
    fit_modes,
    required_gamma_max,
)
from emulator.diffusion.tables import tabulate
from emulator.io import DataError, EmulatorError
from emulator.metadata import fingerprint, provenance
from emulator.networks.backbone import Backbone
from emulator.networks.summary import Summary, summarise
from emulator.training.build import build_network
from emulator.training.bundle import Grid, ModelCard, write_bundle
from emulator.training.history import History, ProgressLine, StopEarly
from emulator.training.module import EmulatorModule, NonFiniteLossError
from emulator.training.monitor import bin_names, ensemble_names
from emulator.training.state import SaveState, last_state, require_readable
from emulator.training.tensorboard import TensorBoard

say = rank_zero_only(print)
"""Print once, however many processes train."""

VALIDATION_BATCH = 64
MODE_WINDOWS = 256


def train(
    config: ExperimentConfig,
    normalisation: Normalisation,
    splits: Mapping[str, Sequence[str]],
    *,
    maps_dir: Path,
    state_dir: Path,
    output: Path,
) -> None:
    """Train, or go on training, and write the bundle.

    The resume state lies in ``state_dir`` under a name that is a hash of the sections ``data,
    model, diffusion, training`` (but for how windows are loaded), of the statistics and of the
    split: a changed config never resumes a stale state.

    Parameters
    ----------
    config, normalisation, splits
        What to train, fitted statistics, and simulation names by split.
    maps_dir
        Folder of ``{simulation}.h5``.
    state_dir
        Folder for resume states; outside what the workflow manager deletes.
    output
        Folder of the bundle.

    Raises
    ------
    DataError
        If maps disagree in their grid, or if a resume state is damaged.
    """
    sections = config.model_dump(mode="json", include={"data", "model", "diffusion", "training"})
    # they change where batches are made, never the batches
    for name in ("cache", "loader_workers"):
        del sections["training"][name]
    key = fingerprint(
        [
            sections,
            normalisation.model_dump(mode="json"),
            {name: list(splits[name]) for name in ("train", "validation")},
        ]
    )
    state = Path(state_dir) / f"train-{key}" / "state.ckpt"
    _require_hardware(config.training)
    for split in ("train", "validation"):
        if not splits[split]:
            raise EmulatorError(
                f"the {split} split is empty: give data.split a larger {split} share, or the suite "
                "more runs"
            )
    lazy = config.training.cache == "none"
    training, validation = (
        [read_maps(Path(maps_dir) / f"{name}.h5", lazy=lazy) for name in splits[split]]
        for split in ("train", "validation")
    )
    grid = _common_grid([*training, *validation], config.data.window)
    _require_windows(config, training)

    torch.manual_seed(config.training.seed)
    network = build_network(config.model.network, config.diffusion, normalisation)
    summary = summarise_network(network, config, normalisation)
    say(f"train: {len(training)} simulations; {summary}", flush=True)
    module = EmulatorModule(
        network,
        FieldTransform(normalisation),
        config.diffusion,
        config.training,
        pixel_mpch=grid.pixel_mpch,
    )
    modes = _fit_modes(_train_dataset(config, training, normalisation), module)
    _check_noise_end(modes, module, network_channels(normalisation.channels))
    names = [str(channel.name) for channel in normalisation.channels]
    history = History([*bin_names(), *ensemble_names(names)])
    callbacks: list[pl.Callback] = [history]
    stopper = None
    if config.training.early_stopping is not None:
        stopper = StopEarly(config.training.early_stopping, history)
        callbacks.append(stopper)
    if config.training.tensorboard:
        callbacks.append(TensorBoard(state.parent / "tensorboard", history, names))
    callbacks.append(SaveState(state, history, config.training.accumulate))
    trainer = _build_trainer(config, [*callbacks, ProgressLine("train", config.training.max_steps)])
    resume = last_state(state)
    if resume is not None:
        say(f"train: going on from {resume}", flush=True)
        require_readable(resume)
    wanted = config.training.devices * config.training.num_nodes
    if trainer.world_size != wanted:
        raise EmulatorError(
            f"training runs on {trainer.world_size} devices, but training.devices x num_nodes asks "
            f"for {wanted}: start one process a device, or let one process start them"
        )
    dataset = _train_dataset(config, training, normalisation, trainer)
    try:
        trainer.fit(
            module,
            _train_loader(config, dataset, trainer),
            _validation_loader(config, validation, normalisation),
            ckpt_path=None if resume is None else str(resume),
            weights_only=True,
        )
    except NonFiniteLossError as error:
        places = dataset.places(error.step)
        guilty = sorted({Path(training[places[row].simulation].path).stem for row in error.rows})
        raise EmulatorError(
            f"the training loss is not finite at step {error.step}, for windows of "
            f"{', '.join(guilty)}. The last good state is kept in {state}; lower "
            "training.learning_rate or use training.precision: '32', and look at these simulations"
        ) from error
    except torch.cuda.OutOfMemoryError as error:
        raise EmulatorError(
            f"the GPU has no memory left ({error}). Raise training.accumulate (the same training "
            "in smaller parts), set model.network.checkpointing: true, or lower training.batch_size"
        ) from error
    stopped = stopper is not None and stopper.stopped
    if stopped:
        say(f"train: stopped early at step {trainer.global_step}", flush=True)
    if trainer.global_step < config.training.max_steps and not stopped:
        raise EmulatorError(
            f"training was interrupted at step {trainer.global_step} of "
            f"{config.training.max_steps}; the same command goes on from {state}"
        )
    if not trainer.is_global_zero:
        return
    facts = {"splits": dict(splits), "state": key, "torch": str(torch.__version__)}
    card = ModelCard(
        name=config.name,
        grid=grid,
        network=config.model.network,
        diffusion=config.diffusion,
        normalisation=normalisation,
        training=config.training.model_dump(mode="json"),
        metrics=history.last(),
        attributes=provenance("train", **facts) | _notice(training),
        weights_sha256="",
        schedule=_learned_schedule(module),
        modes=modes.to_lists(),
    )
    write_bundle(
        output,
        card,
        raw=module.network.state_dict(),
        ema=module.ema.module.state_dict(),
        history=history.to_csv(),
    )


def summarise_network(
    network: Backbone,
    config: ExperimentConfig,
    normalisation: Normalisation,
) -> Summary:
    """Costs of a network for windows of the config."""
    window = (config.data.window,) * 2
    n_channels = len(network_channels(normalisation.channels))
    n_fields, n_params = 1 + len(normalisation.context_factors), len(normalisation.params)

    def inputs(batch: int) -> list[torch.Tensor]:
        fields = [torch.zeros(batch, n, *window) for n in (n_channels, n_fields)]
        return [
            fields[0],
            torch.zeros(batch),
            fields[1],
            torch.zeros(batch, n_params),
            torch.ones(batch, n_params),
        ]

    return summarise(network, inputs, autocast=config.training.precision == "bf16")


def _require_hardware(training: TrainingConfig) -> None:
    """What the config asks of the machine is there."""
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if training.accelerator == "gpu" and gpus == 0:
        raise EmulatorError(
            "training.accelerator: gpu, but no GPU is visible here; use auto or cpu, or start this "
            "job where there is one"
        )
    on_gpu = gpus > 0 and training.accelerator != "cpu"
    if on_gpu and training.devices > gpus:
        raise EmulatorError(f"training.devices is {training.devices}, but {gpus} GPUs are visible")
    if on_gpu and training.precision == "bf16" and not torch.cuda.is_bf16_supported():
        raise EmulatorError("this GPU has no bfloat16: set training.precision: '32'")
    if on_gpu:
        torch.set_float32_matmul_precision("high")  # TF32 where anything is left in single


def _require_windows(config: ExperimentConfig, maps: Sequence[Maps]) -> None:
    """A batch is not larger than the data: it would see everything at every step."""
    tiles = [max(1, m.n_pixels // config.data.window) for m in maps]
    n_windows = sum(m.n_projections * n**2 for m, n in zip(maps, tiles, strict=True))
    if config.training.batch_size > n_windows:
        raise EmulatorError(
            f"training.batch_size is {config.training.batch_size}, but the training split holds "
            f"only {n_windows} windows that do not overlap"
        )


def _build_trainer(config: ExperimentConfig, callbacks: list[pl.Callback]) -> pl.Trainer:
    # Lightning's start-up messages are about hardware and advertise; its warnings stay
    for name in ("pytorch_lightning.utilities.rank_zero", "pytorch_lightning.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # batches take 2 % of a step on a CPU without workers; the averaged copy is in eval mode on
    # purpose; the last is Lightning's own use of torch
    for message in ("does not have many workers", "in eval mode at the start", "LeafSpec"):
        warnings.filterwarnings("ignore", message=f".*{message}.*")
    return pl.Trainer(
        accelerator=config.training.accelerator,
        devices=config.training.devices,
        num_nodes=config.training.num_nodes,
        strategy="ddp" if config.training.devices * config.training.num_nodes > 1 else "auto",
        accumulate_grad_batches=config.training.accumulate,
        # under Slurm one task of a Snakemake job would be taken for the whole world
        plugins=[LightningEnvironment()],
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


def _train_dataset(
    config: ExperimentConfig,
    maps: Sequence[Maps],
    normalisation: Normalisation,
    trainer: pl.Trainer | None = None,
) -> WindowDataset:
    """Batches of training; without a trainer whole ones, for what is measured beforehand."""
    shared = (
        {}
        if trainer is None
        else {
            "accumulate": config.training.accumulate,
            "rank": trainer.global_rank,
            "world_size": trainer.world_size,
        }
    )
    return WindowDataset(
        maps,
        normalisation,
        window=config.data.window,
        batch_size=config.training.batch_size,
        seed=config.training.seed,
        mass_tilt=config.training.mass_tilt,
        **shared,
    )


def _fit_modes(dataset: WindowDataset, module: EmulatorModule) -> ModeStatistics:
    """Spectra of at least :data:`MODE_WINDOWS` training windows as the network sees them."""
    n_batches = -(-MODE_WINDOWS // dataset.batch_size)
    pairs = [module.normalise(dataset[2**31 + step]) for step in range(n_batches)]
    x, fields = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    return fit_modes(x, fields[:, 0])


def _check_noise_end(
    modes: ModeStatistics, module: EmulatorModule, channels: Sequence[str]
) -> None:
    """Warn where sampling from N(0, I) at the noise end will show in a channel's power."""
    gamma_max = module.schedule.gamma_max
    needed, errors = required_gamma_max(modes), expected_error(modes, gamma_max)
    short = [i for i, gamma in enumerate(needed.tolist()) if gamma > gamma_max]
    if not short:
        say(
            f"train: gamma_max {gamma_max:g} is enough for the data's spectra "
            f"(at least {float(needed.max()):.1f} is needed)",
            flush=True,
        )
        return
    listed = "; ".join(
        f"{channels[i]} (power up to {float(modes.power[i].max()):.3g} times white noise, "
        f"{float(modes.residual[i].max()):.3g} of it unknown given the condition): up to "
        f"{float(errors[i]):.1%}"
        for i in short
    )
    say(
        f"train: warning: at gamma_max {gamma_max:g} the largest modes keep signal that a start "
        f"from N(0, I) lacks, an error in their power of {listed}. Raise diffusion.gamma_max to "
        f"{float(needed.max()):.1f} for 1 %, or sample with start: spectrum.",
        flush=True,
    )


def _learned_schedule(module: EmulatorModule) -> tuple[float, ...] | None:
    """Table of a schedule that has parameters."""
    learned = any(True for _ in module.schedule.parameters())
    return tuple(tabulate(module.schedule)) if learned else None


def _train_loader(
    config: ExperimentConfig, dataset: WindowDataset, trainer: pl.Trainer
) -> DataLoader[Batch]:
    sampler = StepSampler(
        config.training.checkpoint_steps,
        lambda: trainer.global_step,
        config.training.accumulate,
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
        pin_memory=torch.cuda.is_available(),
    )


def _validation_loader(
    config: ExperimentConfig, maps: Sequence[Maps], normalisation: Normalisation
) -> DataLoader[Batch]:
    """Fixed windows, drawn without tilt from a stream that training never uses."""
    dataset = WindowDataset(
        maps,
        normalisation,
        window=config.data.window,
        batch_size=min(VALIDATION_BATCH, config.training.validation_windows),
        seed=config.training.seed,
        stream=2**31,
    )
    n_batches = -(-config.training.validation_windows // VALIDATION_BATCH)
    return DataLoader(dataset, batch_size=None, sampler=range(n_batches))


def _common_grid(maps: Sequence[Maps], window: int) -> Grid:
    first = maps[0]
    for name in ("pixel_mpch", "depth_mpch", "redshift"):
        for other in maps[1:]:
            if abs(float(other.attrs[name]) - float(first.attrs[name])) > 1e-6:
                raise DataError(
                    other.path, f"{name} = {first.attrs[name]} as in {first.path}",
                    str(other.attrs[name]), "One model has one grid.",
                )  # fmt: skip
    attrs = first.attrs
    return Grid(
        pixel_mpch=float(attrs["pixel_mpch"]),
        window=window,
        depth_mpch=float(attrs["depth_mpch"]),
        redshift=float(attrs["redshift"]),
    )


def _notice(maps: Sequence[Maps]) -> dict[str, str]:
    notices = {str(m.attrs["notice"]) for m in maps if "notice" in m.attrs}
    return {"notice": "; ".join(sorted(notices))} if notices else {}
