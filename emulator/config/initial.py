"""Fine-tuning: a training that begins with the weights of a bundle, of another suite.

Weights mean something to one network, one set of channels and conditions, and one kind of pixel. So
all that decides it must be the bundle's: it is compared here, on the content of ``model.json``,
before any job starts, and again by the training, which knows the maps.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.config.agreement import Experiment, faults_of
from emulator.config.places import is_within, only_bundle, results_folder
from emulator.config.section import ConfigError
from emulator.io import read_json

FINE_TUNED = ("diffusion", "one_step")
"""Objectives whose training may begin with a bundle of its own kind."""


def faults_of_initial(config: Experiment) -> list[str]:
    """What is wrong with ``training.initial``, whatever lies there."""
    folder, objective = config.training.initial, config.training.objective
    if folder is None:
        return []
    found = []
    if objective not in FINE_TUNED:
        found.append(
            f"training.initial: expected training.objective {' or '.join(FINE_TUNED)}, got "
            f"{objective}: leave it out, or set another objective"
        )
    if objective == "diffusion" and config.diffusion.schedule.startswith("learned"):
        found.append(
            f"training.initial: a bundle keeps a table of a learned schedule, not its weights: "
            f"expected a diffusion.schedule that is not learned, got {config.diffusion.schedule}"
        )
    if is_within(folder, results_folder(config.name)):
        found.append(
            f"training.initial {folder} lies in the results of this experiment itself: give it "
            "another name"
        )
    return found


def initial_bundle(folder: str) -> Path:
    """Folder of the one bundle that ``training.initial`` names.

    Raises
    ------
    ConfigError
        If there is none, or more than one.
    """
    remedy = "train it first, or name the one that is shipped (data/reference)"
    return only_bundle("training.initial", folder, remedy)


def initial_files(config: Experiment) -> list[str]:
    """Files of the bundle that a training begins with, which fits it; none if there is none.

    Raises
    ------
    ConfigError
        If there is no such bundle, or its weights mean something else.
    """
    if config.training.initial is None:
        return []
    folder = initial_bundle(config.training.initial)
    require_initial(config, read_json(folder / "model.json"), folder)
    return [str(folder / name) for name in ("model.json", "weights.safetensors")]


def require_initial(config: Experiment, card: Mapping[str, Any], folder: Path) -> None:
    """Refuse a bundle whose weights mean something else than those that are to be trained.

    Arguments and error are those of :func:`~emulator.config.agreement.require_own_bundle`, of the
    config of a training, all of whose sections are compared.
    """
    faults = faults_of(config, card, right="bundle")
    if faults:
        raise ConfigError(
            f"training.initial {folder}: its weights mean something else here: "
            f"{'; '.join(faults)}. Give this experiment the bundle's values, or train it without "
            "training.initial"
        )
