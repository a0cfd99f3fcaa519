"""Labels of an ensemble: what was drawn, from what, by whom."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.config import SamplingConfig
from emulator.data.condition import Condition
from emulator.fields import dump_fields, shared_unit
from emulator.metadata import provenance
from emulator.model.card import ModelCard
from emulator.model.transforms import TRANSFORMS
from emulator.sampling.inputs import Observed
from emulator.units import Unit

if TYPE_CHECKING:
    import xarray as xr


def label_ensemble(
    values: np.ndarray,
    condition: Condition,
    observed: Observed | None,
    members: Sequence[int],
    seed: int,
    options: SamplingConfig,
    card: ModelCard,
) -> "xr.Dataset":
    """Dataset of the members ``(sample, member, channel, y, x)`` that one model drew."""
    import xarray as xr

    fields = [channel.field for channel in card.normalisation.channels]
    unit = shared_unit(fields, "of each channel: see attrs['fields']")
    mass, length = {"units": str(Unit.MASS_PER_PIXEL)}, {"units": str(Unit.LENGTH)}
    coordinate = (np.arange(card.grid.window) + 0.5) * card.grid.pixel_mpch
    return xr.Dataset(
        {
            "fields": (("sample", "member", "channel", "y", "x"), values, {"units": unit}),
            "condition": (("sample", "y", "x"), condition.field.numpy(), mass),
            "large_scale": (("sample", "level", "y", "x"), condition.context.numpy(), mass),
            "params": (("sample", "parameter"), condition.params.numpy()),
            "seed": ((), seed),
        },
        coords={
            "channel": [field.name for field in fields],
            "member": list(members),
            "model_seed": ("member", [card.facts.seed] * len(members)),
            "model_member": ("member", list(members)),
            "level": list(card.normalisation.context_factors),
            "parameter": list(card.normalisation.params),
            "y": ("y", coordinate, length),
            "x": ("x", coordinate, length),
        },
        attrs={
            **card.grid.model_dump(),
            "fields": dump_fields(fields),
            "empty_below": json.dumps(_empty_below(card)),
            "sampling": json.dumps(_as_drawn(options, condition, members, seed)),
            **_observation(observed),
            **provenance("sample", model=card.name, weights=[card.weights_sha256]),
            **{k: v for k, v in card.attributes.items() if k == "notice"},
        },
    )  # fmt: skip


def _empty_below(card: ModelCard) -> dict[str, float]:
    """Value up to which each channel is drawn as zero, in its unit."""
    return {
        channel.name: TRANSFORMS[channel.transform].empty_below(channel.floor)
        for channel in card.normalisation.channels
    }


def _as_drawn(
    options: SamplingConfig, condition: Condition, members: Sequence[int], seed: int
) -> dict[str, Any]:
    """Options with what the call said itself, for the record."""
    facts = {
        "n_members": len(members),
        "windows_per_simulation": len(condition.field),
        "seed": seed,
    }
    return options.model_dump(mode="json") | facts


def _observation(observed: Observed | None) -> dict[str, float]:
    """Attributes of members that go through known values."""
    if observed is None:
        return {}
    known = float(np.isfinite(observed.values).mean())
    return {"observed_share": known, "observation_noise": observed.noise}
