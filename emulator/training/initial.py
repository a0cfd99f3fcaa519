"""The bundle that a fine-tuning begins with: its weights, and the statistics that they belong to.

A network sees normalised fields. Its weights belong to the means, standard deviations, transforms
and scales of parameters of the suite that they were trained on, so these stay; the new suite gives
what the weights do not see: cosmic share, shares of defined pixels, weights of the loss, rows of
fields, fiducial values, and which conditions there were. Ranges of parameters are scales, too, and
what a model accepts: they must be those of the bundle.
"""

import math
import os
from pathlib import Path
from typing import NamedTuple

from emulator.config import ConfigError, ExperimentConfig, initial_bundle, require_initial
from emulator.io import DataError
from emulator.model.build import build_network
from emulator.model.bundle import read_bundle
from emulator.model.card import ArrayGrid, Grid, ModelCard
from emulator.model.normalisation import Normalisation
from emulator.networks.backbone import Backbone
from emulator.training.teacher import first_difference


class Initial(NamedTuple):
    """Card and averaged network of the bundle, and the statistics of the training."""

    card: ModelCard
    network: Backbone
    normalisation: Normalisation
    """Those of the bundle, with what the new suite gives."""

    def begin(self, config: ExperimentConfig) -> Backbone:
        """A network of the config that begins with the averaged weights of the bundle."""
        network = build_network(
            config.model.network, config.diffusion, self.normalisation, config.training.objective
        )
        network.load_state_dict(self.network.state_dict(), strict=True)
        return network

    def attributes(self) -> dict[str, str]:
        """What the card of the new model says of it."""
        return {"initial": f"{self.card.name}, weights {self.card.weights_sha256}"}


def read_initial(config: ExperimentConfig, fitted: Normalisation, output: Path) -> Initial | None:
    """Read the bundle of ``training.initial``, and refuse one whose weights mean something else.

    Parameters
    ----------
    config
        Of the training; without ``training.initial`` there is nothing to read.
    fitted
        Statistics of the new suite.
    output
        Folder of the new bundle, which must not be the old one.

    Raises
    ------
    ConfigError
        If it lies where the new one is written, or anything differs that weights depend on.
    DataError
        If the bundle is damaged.
    """
    if config.training.initial is None:
        return None
    folder = initial_bundle(config.training.initial)
    if os.path.realpath(folder) == os.path.realpath(output):
        raise ConfigError(
            f"training.initial {folder} is where the new model is written: give the experiment "
            "another name (or --results)"
        )
    card, network = read_bundle(folder)
    require_initial(config, card.model_dump(mode="json"), folder)
    _require_ranges(card.normalisation, fitted, folder)
    return Initial(card, network, _merged(card.normalisation, fitted))


def require_grid_of(initial: Initial, grid: Grid | ArrayGrid) -> None:
    """Refuse maps of another geometry than the bundle's.

    Raises
    ------
    ConfigError
        Names what differs.
    """
    found = first_difference(grid, initial.card.grid)
    if found is not None:
        name, here, there = found
        raise ConfigError(
            f"training.initial: its weights mean something else here: {name}: expected {there} as "
            f"the bundle has it, got maps of {here}: project them as those of the bundle were, or "
            "train without training.initial"
        )


def _require_ranges(there: Normalisation, here: Normalisation, folder: Path) -> None:
    """Scales of parameters are those that the network knows."""
    for name, scale in there.params.items():
        mine = here.params[name]
        same = scale.log == mine.log and all(
            math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12)
            for a, b in ((scale.minimum, mine.minimum), (scale.maximum, mine.maximum))
        )
        if not same:
            theirs, ours = ("log" if side.log else "linear" for side in (scale, mine))
            raise ConfigError(
                f"training.initial {folder}: model.params ({name}): expected the range "
                f"{scale.minimum:g} to {scale.maximum:g} ({theirs}) of the bundle, by which "
                f"its network scales it, got {mine.minimum:g} to {mine.maximum:g} "
                f"({ours}): give the suite's table these ranges, or train without "
                "training.initial"
            )
    if there.given != here.given:
        raise DataError(folder, "the given fields of this experiment", "others")


def _merged(kept: Normalisation, fitted: Normalisation) -> Normalisation:
    """Statistics of the bundle, with what the new suite gives."""
    channels = tuple(
        old.model_copy(
            update={
                "field": new.field,
                "loss_weight": new.loss_weight,
                "data_noise": new.data_noise,
            }
        )
        for old, new in zip(kept.channels, fitted.channels, strict=True)
    )
    of_suite = ("params", "cosmic_share", "defined_share", "conditions")
    update = {name: getattr(fitted, name) for name in of_suite}
    return kept.model_copy(update={"channels": channels, **update})
