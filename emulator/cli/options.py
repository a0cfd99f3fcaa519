"""What commands share: annotations of their options, and default folders."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from emulator.config import ExperimentConfig, maps_folder, results_folder
from emulator.config.section import expand_path
from emulator.io import EmulatorError


def _path(text: str) -> Path:
    """A path as the user means it: ``--raw=~/data`` reaches us as it is written."""
    return Path(expand_path(text))


def _model(text: str) -> Path:
    """A folder of bundles; ``reference`` is the model that comes with the package."""
    path = _path(text)
    if text != "reference" or path.exists():
        return path
    from emulator.sampling.reference import reference_folder

    return reference_folder()


AS_PATH: dict[str, Any] = {"parser": _path, "metavar": "PATH"}
AS_MODEL: dict[str, Any] = {"parser": _model, "metavar": "MODEL"}
OF_MODEL = "Bundle, or folder of bundles: results/NAME/model; or: reference."
Config = Annotated[
    Path, typer.Argument(help="Config file (configs/*.yaml) or a stage's own.", **AS_PATH)
]
Raw = Annotated[
    Path | None, typer.Option(help="Folder of the suite [data/raw/NAME, or suite.root].", **AS_PATH)
]
MapsDir = Annotated[
    Path | None, typer.Option(help="Folder of maps [data/processed/NAME/maps].", **AS_PATH)
]
Results = Annotated[Path | None, typer.Option(help="Folder of results [results/NAME].", **AS_PATH)]
Split = Annotated[Literal["train", "validation", "test"], typer.Option(help="Which simulations.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Redraws = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        help="Also N more hydro outcomes of each simulation: same dark matter, same parameters, "
        "other baryons.",
    ),
]
Manifest = Annotated[
    Path | None, typer.Option(help="List what was written in this file.", **AS_PATH)
]


def maps_of(experiment: ExperimentConfig, folder: Path | None) -> Path:
    """Folder of maps: the one given, or that of the workflow."""
    return folder or maps_folder(experiment.name)


def results_of(experiment: ExperimentConfig, folder: Path | None) -> Path:
    """Folder of results: the one given, or that of the workflow."""
    return folder or results_folder(experiment.name)


def pairs(given: list[str], option: str, example: str) -> list[tuple[str, str]]:
    """Names and what is behind the sign of equality, each name once."""
    found = [tuple(text.partition("=")[::2]) for text in given]
    for text, (name, value) in zip(given, found, strict=True):
        if not name or not value or sum(other == name for other, _ in found) > 1:
            raise EmulatorError(
                f"{option}: expected NAME=VALUE, each name once, got {text!r}; as in {option} "
                f"{example}"
            )
    return [(name, value) for name, value in found]
