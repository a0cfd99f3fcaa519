"""Trained models that a command works on: which ones, and loaded as a config says."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emulator.cli.options import AS_PATH
from emulator.config import ExperimentConfig, require_own_bundle, trained_bundles
from emulator.io import DataError, read_json

if TYPE_CHECKING:
    from emulator.sampling.ensemble import Emulator

Models = Annotated[
    list[Path] | None,
    typer.Option(help="Bundle, or folder of bundles [RESULTS/model]; repeatable.", **AS_PATH),
]


def bundles_of(experiment: ExperimentConfig, results: Path, given: list[Path] | None) -> list[Path]:
    """Folders of all bundles: those given, or those of the results.

    Raises
    ------
    ConfigError
        If those of the results are of another config.
    """
    from emulator.model.bundle import bundles_in

    if not given:
        require_own_bundles(experiment, results)
    return [path for folder in given or [results / "model"] for path in bundles_in(folder)]


def require_own_bundles(experiment: ExperimentConfig, results: Path) -> None:
    """A :class:`ConfigError` where a model of the results is of another config."""
    for path in trained_bundles(results / "model"):
        require_own_bundle(experiment, read_json(path / "model.json"), path)


def load_as_drawn(path: Path, *, calibrated: bool, command: str) -> "Emulator":
    """A model that draws as the config says.

    Raises
    ------
    DataError
        If it should be calibrated and is not.
    """
    from emulator.model.calibration import CALIBRATION_FILE
    from emulator.sampling.loading import load_bundle

    file = path / CALIBRATION_FILE
    if calibrated and not file.is_file():
        raise DataError(
            file, "the calibration of the model, as calibration.enabled says", "no such file",
            "Run `emulator calibrate CONFIG` (the workflow does), or set it to false.",
        )  # fmt: skip
    if not calibrated and file.is_file():
        typer.echo(f"{command}: {file} is left out, as calibration.enabled is false", err=True)
    return load_bundle(path, calibrated=calibrated)
