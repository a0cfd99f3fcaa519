"""What the workflow must know of a trained model that lies there, without loading it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from emulator.config.documents import shorten_error
from emulator.config.model import NetworkConfig
from emulator.config.names import ObjectiveName
from emulator.config.places import trained_bundles
from emulator.config.section import ConfigError
from emulator.io import read_json


class _Part(BaseModel):
    """Keys that are read; the others are those of the loader."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Grid(_Part):
    pixel_mpch: float
    depth_mpch: float
    redshift: float | None
    window: int
    deposit: str | None = None


class _Normalisation(_Part):
    params: dict[str, Any]


class _Training(_Part):
    objective: ObjectiveName = "diffusion"
    precision: str = "32"


class _Card(_Part):
    grid: _Grid
    network: NetworkConfig
    normalisation: _Normalisation
    training: _Training


@dataclass(frozen=True)
class TrainedModel:
    """Bundles of one training, and facts of the first; those of other seeds are the same."""

    bundles: tuple[Path, ...]
    card: _Card

    @property
    def params(self) -> tuple[str, ...]:
        """Parameters that it is conditioned on."""
        return tuple(self.card.normalisation.params)

    @property
    def files(self) -> list[str]:
        """What it is drawn from."""
        names = ("model.json", "weights.safetensors", "solver.json", "calibration.json")
        found = [folder / name for folder in self.bundles for name in names]
        return [str(path) for path in found if path.is_file() or path.name in names[:2]]


def read_trained(folder: str, key: str) -> TrainedModel:
    """Facts of the model in a folder.

    Parameters
    ----------
    folder
        A bundle, or a folder of bundles.
    key
        Of the config that names it, for messages.

    Raises
    ------
    ConfigError
        If there is none, or one that draws nothing.
    DataError
        A damaged ``model.json``.
    """
    bundles = trained_bundles(folder)
    if not bundles:
        raise ConfigError(
            f"{key} {folder}: expected a bundle (model.json) or bundles of seeds "
            "(seed_N/model.json), got neither: train the model first (the workflow with its "
            "config), or name its results/NAME/model"
        )
    try:
        card = _Card.model_validate(read_json(bundles[0] / "model.json"))
    except ValidationError as error:
        raise ConfigError(
            f"{key} {bundles[0]}: expected a model that draws members, got\n{shorten_error(error)}"
        ) from error
    return TrainedModel(tuple(bundles), card)
