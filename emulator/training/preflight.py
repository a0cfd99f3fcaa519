"""What is looked at before a training begins: hardware, data, costs, the noise end."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch

from emulator.config import ExperimentConfig, NetworkConfig, TrainingConfig
from emulator.config.suites.redshifts import PARAMETER as REDSHIFT
from emulator.data.cutouts import sides_of
from emulator.data.dataset import WindowDataset
from emulator.data.maps import Maps
from emulator.diffusion.spectrum import (
    ModeStatistics,
    expected_error,
    fit_modes,
    required_gamma_max,
)
from emulator.io import DataError, EmulatorError
from emulator.model.build import Objective, interface_for
from emulator.model.card import ArrayGrid, Grid
from emulator.model.normalisation import Normalisation
from emulator.model.redshift import require_own_redshift
from emulator.networks.backbone import Backbone
from emulator.networks.summary import Summary, blank_inputs, summarise
from emulator.training.loaders import unseen_windows
from emulator.training.objectives.diffusion import DiffusionModule
from emulator.training.state import say

MODE_WINDOWS = 256
"""Windows from which the data's spectra are measured, at least."""


def require_splits(splits: Mapping[str, Sequence[str]]) -> None:
    """There is something to train and to validate on."""
    for split in ("train", "validation"):
        if not splits[split]:
            raise EmulatorError(
                f"the {split} split is empty: give data.split a larger {split} share, or the suite "
                "more runs"
            )


def summarise_network(
    network: Backbone,
    config: ExperimentConfig,
    normalisation: Normalisation,
    objective: Objective,
) -> Summary:
    """Costs of a network for windows of the config."""
    interface = interface_for(normalisation, config.diffusion, objective)
    inputs = partial(blank_inputs, interface, config.data.window_shape)
    return summarise(network, inputs, autocast=config.training.precision == "bf16")


def require_hardware(training: TrainingConfig) -> None:
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


def require_windows(config: ExperimentConfig, maps: Sequence[Maps]) -> None:
    """A batch is not larger than the data: it would see everything at every step."""
    window = config.data.window
    tiles = [max(1, m.n_pixels // window) if m.domain.is_matter else 1 for m in maps]
    n_windows = sum(m.n_projections * n**m.dimensions for m, n in zip(maps, tiles, strict=True))
    if config.training.batch_size > n_windows:
        raise EmulatorError(
            f"training.batch_size is {config.training.batch_size}, but the training split holds "
            f"only {n_windows} windows that do not overlap"
        )


def common_grid(
    maps: Sequence[Maps], window: int | tuple[int, ...], params: Sequence[str] = ()
) -> Grid | ArrayGrid:
    """Geometry of the windows, and their redshift unless it is one of the parameters.

    Raises
    ------
    DataError
        Maps that disagree, or whose redshift is not the parameter of that name.
    """
    first = maps[0]
    if not first.domain.is_matter:
        return _grid_of_arrays(maps, sides_of(window))
    is_told = REDSHIFT in params
    for each in maps if is_told else ():
        require_own_redshift(each.attrs, each.params, str(each.path))
    for name in ("pixel_mpch", "depth_mpch", *(() if is_told else ("redshift",))):
        for other in maps[1:]:
            if abs(float(other.attrs[name]) - float(first.attrs[name])) > 1e-6:
                raise DataError(
                    other.path, f"{name} = {first.attrs[name]} as in {first.path}",
                    str(other.attrs[name]),
                    "One model has one grid." if name != REDSHIFT else
                    "One model has one redshift, unless model.params has it as a parameter.",
                )  # fmt: skip
    kernels = {str(each.attrs["deposit"]) for each in maps if "deposit" in each.attrs}
    if len(kernels) > 1:
        raise DataError(
            first.path, "maps that were deposited by one kernel", ", ".join(sorted(kernels)),
            "Project all simulations with the same data.deposit.",
        )  # fmt: skip
    attrs = first.attrs
    return Grid(
        pixel_mpch=float(attrs["pixel_mpch"]),
        window=sides_of(window)[0],
        depth_mpch=float(attrs["depth_mpch"]),
        redshift=None if is_told else float(attrs["redshift"]),
        deposit=kernels.pop() if kernels else None,
        dimensions=first.domain.dimensions,
    )


def _grid_of_arrays(maps: Sequence[Maps], shape: tuple[int, ...]) -> ArrayGrid:
    first = maps[0]
    for other in maps:
        found = (other.domain, other.shape, other.pixel_mpch)
        expected = (first.domain, shape, first.pixel_mpch)
        if found != expected:
            raise DataError(
                other.path, f"domain, shape and pixel {expected} as in {first.path}", f"{found}",
                "One model has one grid.",
            )  # fmt: skip
    return ArrayGrid(
        pixel=first.pixel_mpch,
        length_unit=first.domain.length,
        shape=shape,
        periodic=first.domain.periodic,
        symmetries=first.domain.symmetries,
    )


def check_width(network: NetworkConfig, n_channels: int, dimensions: int) -> None:
    """Warn where a patch of pixels holds more noise than the first features can pass on.

    A denoiser tells noise from signal in every pixel. Features that are fewer than the values of a
    patch cannot carry all of them, and what is not carried stays in the members.
    """
    held, first = n_channels * network.patch**dimensions, network.first_width
    if first < held:
        values = f"{n_channels} channels x {network.patch}^{dimensions} pixels"
        say(
            f"train: warning: a patch holds {held} values ({values}), the first features of the "
            f"network are {first}: noise that they cannot carry stays in the members. Raise "
            f"model.network.{'widths' if network.kind == 'unet' else 'width'} to at least {held}, "
            "or lower model.network.patch.",
            flush=True,
        )


def measure_modes(dataset: WindowDataset, module: DiffusionModule) -> ModeStatistics:
    """Spectra of at least :data:`MODE_WINDOWS` training windows as the network sees them."""
    pairs = [module.normalise(batch) for batch in unseen_windows(dataset, MODE_WINDOWS)]
    generator = torch.Generator().manual_seed(module.seed)
    x = module.gaps.fill_from(torch.cat([x for x, _ in pairs]), generator)
    return fit_modes(x, torch.cat([given.fields[:, 0] for _, given in pairs]))


def check_noise_end(
    modes: ModeStatistics, module: DiffusionModule, channels: Sequence[str]
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
