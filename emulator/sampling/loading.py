"""Load what was trained, and draw from the default model."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from emulator.inference.simulator import Simulator
from emulator.io import DataError
from emulator.model.bundle import bundles_in, read_bundle
from emulator.model.calibration import CALIBRATION_FILE, read_calibration
from emulator.model.found_solver import read_found
from emulator.model.validated import read_validated
from emulator.sampling.base import BaseEmulator
from emulator.sampling.ensemble import Emulator
from emulator.sampling.mixture import Mixture
from emulator.sampling.reference import default_model, example

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "Emulator",
    "Mixture",
    "as_one",
    "example",
    "load",
    "load_bundle",
    "sample",
    "simulator",
]


def load(
    path: str | Path | None = None,
    *,
    device: str | torch.device | None = None,
    calibrated: bool | None = None,
) -> Emulator | Mixture:
    """Load a bundle (a folder with ``model.json``), or all those of a training with several seeds.

    Parameters
    ----------
    path
        ``results/NAME/model``, or one of the ``seed_*`` folders in it. Default: the folder that the
        variable ``EMULATOR_MODEL`` names, or else the reference that comes with the package
        (:mod:`emulator.sampling.reference`).
    device
        ``"cpu"``, ``"cuda"``, ...; default: a GPU if there is one.
    calibrated
        True: draw with the calibration of each bundle that has one (``calibration.json``); False:
        as it was trained. Default: as it was judged, if its bundle says so (``validated.json``),
        else True.

    Returns
    -------
    An :class:`Emulator`, or a :class:`Mixture` if there are several bundles.

    Raises
    ------
    DataError
        If the bundle is missing, damaged, or of another format.
    """
    models = {
        str(folder): load_bundle(folder, device=device, calibrated=calibrated)
        for folder in bundles_in(default_model() if path is None else path)
    }
    return as_one(models)


def as_one(models: Mapping[str, Emulator]) -> Emulator | Mixture:
    """The only model, or a mixture of several, by name."""
    return next(iter(models.values())) if len(models) == 1 else Mixture(models)


def load_bundle(
    folder: str | Path, *, device: str | torch.device | None = None, calibrated: bool | None = None
) -> Emulator:
    """Load one bundle; arguments as of :func:`load`.

    Raises
    ------
    DataError
        Also if it is that of a regression, which draws nothing, or if its ``solver.json``,
        ``calibration.json`` or ``validated.json`` is damaged or of other weights.
    """
    card, network = read_bundle(folder)
    if card.facts.objective == "regression":
        raise DataError(
            Path(folder) / "model.json", "a model that draws ensembles",
            f"a {card.facts.objective}: a baseline of `emulator validate`, which gives one mean",
            "The model lies in results/NAME/model.",
        )  # fmt: skip
    found = read_found(folder, card.weights_sha256)
    validated = read_validated(folder, card.weights_sha256)
    model = Emulator(card, network, device=device, found=found, validated=validated)
    if calibrated is None:
        calibrated = validated is None or validated.calibration is not None
    calibration = read_calibration(folder, card.weights_sha256) if calibrated else None
    if calibration is None:
        return model
    return model.calibrated_by(calibration, Path(folder) / CALIBRATION_FILE)


def sample(condition: Any, params: Any = None, **options: Any) -> "xr.Dataset":
    """Draw from the default model; see :meth:`Emulator.sample` for ``options``.

    The model is that of :func:`load` without a path; it is read once.
    """
    folder = default_model()
    files = [file for bundle in bundles_in(folder) for file in bundle.iterdir()]
    stamps = tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    drawn: xr.Dataset = _load_once(folder, stamps).sample(condition, params, **options)
    return drawn


def simulator(model: BaseEmulator, condition: Any, known: Any, **options: Any) -> Simulator:
    """A model as a simulator of summaries; see :meth:`BaseEmulator.simulator`."""
    return model.simulator(condition, known, **options)


@lru_cache(maxsize=1)
def _load_once(folder: Path, stamps: tuple[Any, ...]) -> Emulator | Mixture:
    """Load the default model; again only if one of its files changes."""
    return load(folder)
