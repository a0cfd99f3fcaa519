"""Labels of a painted box: what was painted, from what, by whom."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from emulator.config import SamplingConfig
from emulator.fields import dump_fields, shared_unit
from emulator.metadata import provenance
from emulator.model.calibration import Calibration
from emulator.model.card import ModelCard
from emulator.model.redshift import common_redshift
from emulator.sampling.painting.box import Box
from emulator.sampling.painting.budget import add_budget
from emulator.sampling.painting.noise import CELLS_VERSION
from emulator.units import Unit

if TYPE_CHECKING:
    import xarray as xr


class Drawn(NamedTuple):
    """Which model a member is of."""

    seed: int
    """That it was trained from."""
    weights: str
    """SHA-256."""
    recipe: dict[str, str | int]
    """Solver and evaluations."""
    calibration: Calibration | None


def label_box(
    values: np.ndarray,
    box: Box,
    members: list[int],
    seed: int,
    options: SamplingConfig,
    card: ModelCard,
    drawn: Sequence[Drawn],
) -> "xr.Dataset":
    """Dataset of painted members ``(member, channel, y, x)``.

    Parameters
    ----------
    values
        In the units of the fields.
    box
        What they were painted on.
    members, seed
        Numbers of the members, and the seed of the ensemble.
    options
        That they were drawn with.
    card
        Of the model, of the first of several.
    drawn
        By whom each member was drawn, and how.
    """
    import xarray as xr

    fields = [channel.field for channel in card.normalisation.channels]
    unit = shared_unit(fields, "of each channel: see attrs['fields']")
    mass, length = {"units": str(Unit.MASS_PER_PIXEL)}, {"units": str(Unit.LENGTH)}
    axes = {
        name: (
            name,
            (span.offset + np.arange(span.size) + 0.5) * card.grid.pixel,
            {**length, "long_name": name},
        )
        for name, span in zip(("y", "x"), box.spans, strict=True)
    }
    fraction = card.normalisation.baryon_fraction(box.condition.params).item()
    painted = xr.Dataset(
        {
            "fields": (("member", "channel", "y", "x"), values, {"units": unit}),
            "condition": (("y", "x"), box.as_given(box.condition.field[0].numpy()), mass),
            "params": (("parameter",), box.condition.params[0].numpy()),
            "seed": ((), seed),
        },
        coords={
            "channel": [field.name for field in fields],
            "member": members,
            "model_seed": ("member", [each.seed for each in drawn]),
            "parameter": list(card.normalisation.params),
            **axes,
        },
        attrs={
            "Conventions": "CF-1.11",
            **card.grid.attributes(),
            **common_redshift(card, box.condition.params),
            "fields": dump_fields(fields),
            "sampling": json.dumps(
                options.model_dump(mode="json") | {"seed": seed, "n_members": len(members)}
            ),
            "stride": box.tiles.stride,
            "origin": [int(pixel) for pixel in box.origin],
            "periodic": [int(span.periodic) for span in box.spans],
            "cells_version": CELLS_VERSION,
            "noise_of": box.name,
            **drawn[0].recipe,
            **_calibrations(drawn),
            **provenance(
                "paint", model=card.name, weights=list(dict.fromkeys(d.weights for d in drawn))
            ),
            **{k: v for k, v in card.attributes.items() if k == "notice"},
        },
    )  # fmt: skip
    return add_budget(painted, fields, fraction)


def _calibrations(drawn: Sequence[Drawn]) -> dict[str, str]:
    """How draws were corrected, by the seed of the model, as ensembles say it."""
    found = {
        str(each.seed): each.calibration.correction
        for each in drawn
        if each.calibration is not None
    }
    return {"calibration": json.dumps(found)} if found else {}
