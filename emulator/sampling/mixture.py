"""`Mixture`: several trained models that draw as one; their differences are part of the spread."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.config import SamplingConfig
from emulator.io import EmulatorError
from emulator.sampling.ensemble import Emulator
from emulator.sampling.inputs import Policy

if TYPE_CHECKING:
    import xarray as xr


class Mixture:
    """Models that were trained alike from different seeds.

    A member of the mixture is a member of one of its models. Nothing is averaged: the ensemble
    spreads by what each model leaves open, and by what the models disagree about.

    Parameters
    ----------
    models
        By the folder that they were read from; they must differ in nothing but seed and weights.

    Raises
    ------
    EmulatorError
        If they were trained in different ways, or two have the same seed.
    """

    def __init__(self, models: Mapping[str, Emulator]) -> None:
        self.models = list(models.values())
        (first, *_), seeds = models, [model.seed for model in self.models]
        for name, model in models.items():
            if _kind(model) != _kind(self.models[0]):
                raise EmulatorError(
                    f"{name} and {first} were not trained alike (data, network, diffusion or "
                    "training differ): remove what is of an earlier config, or load one of them"
                )
        if len(set(seeds)) < len(seeds):
            raise EmulatorError(f"{', '.join(models)}: seeds must differ, got {seeds}")

    @property
    def channels(self) -> list[str]:
        """Names of the fields that are drawn."""
        return self.models[0].channels

    @property
    def params(self) -> list[str]:
        """Names of the conditioning parameters, in the order of arrays."""
        return self.models[0].params

    def sample(
        self,
        condition: "np.ndarray | xr.Dataset",
        params: Any,
        *,
        large_scale: np.ndarray | None = None,
        centres: Sequence[tuple[int, int]] | None = None,
        n_members: int = 8,
        first_member: int = 0,
        seed: int = 0,
        out_of_range: Policy = "raise",
        observed: np.ndarray | None = None,
        observation_noise: float = 0.02,
        sampling: SamplingConfig | None = None,
        progress: bool = False,
    ) -> "xr.Dataset":
        """Draw an ensemble whose members are dealt to the models in turn.

        Member ``k`` of ``n`` models is member ``k // n`` of model ``k % n``, whichever others are
        drawn beside it. Arguments, result and errors are those of :meth:`Emulator.sample`.
        """
        if n_members < 1:
            raise ValueError(f"n_members must be at least 1, got {n_members}")
        n_models = len(self.models)
        members = range(first_member, first_member + n_members)
        parts = []
        for place, model in enumerate(self.models):
            own = [k // n_models for k in members if k % n_models == place]
            if not own:
                continue
            part = model.sample(
                condition, params,
                large_scale=large_scale, centres=centres, n_members=len(own), first_member=own[0],
                seed=seed, out_of_range=out_of_range, observed=observed,
                observation_noise=observation_noise, sampling=sampling, progress=progress,
            )  # fmt: skip
            parts.append(part.assign_coords(member=[k * n_models + place for k in own]))
        joined = join_members(parts)
        numbers = np.concatenate([part["member"].values for part in parts])
        return joined.assign_coords(member=numbers).sortby("member")


def join_members(parts: "Sequence[xr.Dataset]") -> "xr.Dataset":
    """One ensemble of the members of several, numbered anew.

    Parameters
    ----------
    parts
        Ensembles of the same windows; facts beside the members are those of the first.
    """
    import xarray as xr

    fields = xr.concat([part["fields"] for part in parts], "member")
    joined = parts[0].drop_dims("member").assign(fields=fields)
    joined = joined.assign_coords(member=np.arange(fields.sizes["member"]))
    facts = [json.loads(part.attrs["provenance"]) for part in parts]
    weights = list(dict.fromkeys(sha for fact in facts for sha in fact["weights"]))
    joined.attrs["provenance"] = json.dumps({**facts[0], "weights": weights}, sort_keys=True)
    # of the config: members of each model
    of_each = int(np.unique(joined["model_seed"].values, return_counts=True)[1].max())
    options = json.loads(joined.attrs["sampling"]) | {"n_members": of_each}
    joined.attrs["sampling"] = json.dumps(options)
    return joined


def _kind(model: Emulator) -> dict[str, Any]:
    """What models of one mixture have in common."""
    card = model.card.model_dump(
        mode="json", exclude={"weights_sha256", "metrics", "schedule", "modes"}
    )
    del card["attributes"], card["training"]["seed"]
    return card
