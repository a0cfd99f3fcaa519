"""Statistics of maps for tests, from the section ``model`` of a config."""

from collections.abc import Sequence
from pathlib import Path

from emulator.config import ModelConfig
from emulator.config.channels import resolve_channels
from emulator.fields import FIELDS, TARGETS, find_fields
from emulator.model.fit import fit_normalisation
from emulator.model.normalisation import Normalisation


def fit(paths: Sequence[Path], model: ModelConfig, factors: Sequence[int]) -> Normalisation:
    """Fit the channels of a model, which are rows of the table of fields."""
    names = TARGETS if model.channels is None else [channel.name for channel in model.channels]
    channels = resolve_channels(model.channels, find_fields(names, FIELDS))
    return fit_normalisation(paths, channels, model.params, factors)
