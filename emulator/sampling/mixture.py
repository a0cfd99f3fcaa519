"""`Mixture`: several trained models that draw as one; their differences are part of the spread."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.special import logsumexp, softmax
from torch import Tensor

from emulator.config import SamplingConfig
from emulator.data.condition import Condition
from emulator.io import EmulatorError
from emulator.model.kinds import KINDS
from emulator.model.lines import facts_of, lines_of
from emulator.progress import Progress
from emulator.sampling.base import BaseEmulator
from emulator.sampling.ensemble import Emulator
from emulator.sampling.inputs import Observed
from emulator.sampling.labels import align_settings, restate_calibrations, restate_settings
from emulator.sampling.painting.box import Box
from emulator.sampling.painting.labels import Drawn

if TYPE_CHECKING:
    import xarray as xr


class Mixture(BaseEmulator):
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
        self.card = self.models[0].card
        (first, *_), seeds = models, [model.seed for model in self.models]
        for name, model in models.items():
            if _kind(model) != _kind(self.models[0]):
                raise EmulatorError(
                    f"{name} and {first} were not trained alike (data, network, diffusion or "
                    "training differ): remove what is of an earlier config, or load one of them"
                )
        if len(set(seeds)) < len(seeds):
            raise EmulatorError(f"{', '.join(models)}: seeds must differ, got {seeds}")

    def __repr__(self) -> str:
        seeds = ", ".join(str(model.seed) for model in self.models)
        kind = KINDS[self.card.facts.objective]
        facts = facts_of(self.card) | {
            key: "; ".join(dict.fromkeys(said))
            for key, said in (
                ("draws with", [model.draws_with for model in self.models]),
                ("judged", [m.validated.said for m in self.models if m.validated is not None]),
            )
            if said
        }
        head = f"Mixture {self.card.name}: {len(self.models)} times a {kind}, seeds {seeds}"
        return lines_of(head, facts)

    def _ensemble(
        self,
        condition: Condition,
        observed: Observed | None,
        members: Sequence[int],
        seed: int,
        noise_of: Sequence[str] | None,
        asked: SamplingConfig | None,
        progress: bool,
    ) -> "xr.Dataset":
        if asked is None and not all(model.names_options for model in self.models):
            asked = SamplingConfig()  # one default for all
        n_models, parts = len(self.models), []
        for place, model in enumerate(self.models):
            own = [k // n_models for k in members if k % n_models == place]
            if own:
                part = model._ensemble(condition, observed, own, seed, noise_of, asked, progress)
                parts.append(part.assign_coords(member=[k * n_models + place for k in own]))
        joined = join_members(parts)
        numbers = np.concatenate([part["member"].values for part in parts])
        return joined.assign_coords(member=numbers).sortby("member")

    @property
    def parts(self) -> list[Emulator]:
        """The models, each by itself."""
        return self.models

    def _tensors(
        self,
        condition: Condition,
        live: Condition,
        members: Sequence[int],
        seed: int,
        noise_of: Sequence[str] | None,
        asked: SamplingConfig | None,
    ) -> Tensor:
        if asked is None and not all(model.names_options for model in self.models):
            asked = SamplingConfig()
        n_models = len(self.models)
        parts = [
            self.models[k % n_models]._tensors(
                condition, live, [k // n_models], seed, noise_of, asked
            )
            for k in members
        ]
        return torch.cat(parts, dim=1)

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return self.models[0].dtype

    def options_for(self, asked: SamplingConfig | None) -> SamplingConfig:
        """Options that members of all models are drawn with."""
        if asked is None and not all(model.names_options for model in self.models):
            return SamplingConfig()
        return self.models[0].options_for(asked)

    def passes(self, options: SamplingConfig) -> int:
        """Evaluations of the network that a member takes."""
        return self.models[0].passes(options)

    def drawn_by(self, member: int, options: SamplingConfig) -> Drawn:
        """The model whose turn it is."""
        n_models = len(self.models)
        return self.models[member % n_models].drawn_by(member // n_models, options)

    def paint_member(
        self, box: Box, member: int, seed: int, options: SamplingConfig, progress: Progress | None
    ) -> np.ndarray:
        """Fields ``(channel, y, x)`` of a whole box, by the model whose turn it is."""
        n_models = len(self.models)
        model = self.models[member % n_models]
        return model.paint_member(box, member // n_models, seed, options, progress)

    def _log_density(
        self, values: np.ndarray, condition: Condition, n_steps: int, n_probes: int, seed: int
    ) -> "xr.Dataset":
        parts = [m._log_density(values, condition, n_steps, n_probes, seed) for m in self.models]
        return _mean_density(parts)

    def _compare(
        self,
        values: np.ndarray,
        condition: Condition,
        points: np.ndarray,
        noise: float,
        n_noise: int,
        seed: int,
        line: Progress | None,
    ) -> "xr.Dataset":
        options = (noise, n_noise, seed)
        parts = [m._compare(values, condition, points, *options, None) for m in self.models]
        if line is not None:
            line.advance(len(values))
        return _mean_density(parts)


def _mean_density(parts: "Sequence[xr.Dataset]") -> "xr.Dataset":
    """Mean of the densities of several models, and its error."""
    nats = np.stack([part["log_likelihood"].values for part in parts])
    errors = np.stack([part["standard_error"].values for part in parts])
    weights = softmax(nats, axis=0)
    mean = logsumexp(nats, axis=0) - np.log(len(parts))
    error = np.sqrt((weights**2 * errors**2).sum(axis=0))
    return parts[0].copy(data={"log_likelihood": mean, "standard_error": error})


def join_members(parts: "Sequence[xr.Dataset]") -> "xr.Dataset":
    """One ensemble of the members of several, numbered anew.

    Parameters
    ----------
    parts
        Ensembles of the same windows; facts beside the members are those of the first.
    """
    import xarray as xr

    parts = align_settings(parts)
    fields = xr.concat([part["fields"] for part in parts], "member")
    joined = parts[0].drop_dims("member").assign(fields=fields)
    joined = joined.assign_coords(member=np.arange(fields.sizes["member"]))
    joined.attrs.pop("call", None)  # of one part
    facts = [json.loads(part.attrs["provenance"]) for part in parts]
    weights = list(dict.fromkeys(sha for fact in facts for sha in fact["weights"]))
    joined.attrs["provenance"] = json.dumps({**facts[0], "weights": weights}, sort_keys=True)
    # of the config: members of each model
    of_each = int(np.unique(joined["model_seed"].values, return_counts=True)[1].max())
    options = json.loads(joined.attrs["sampling"]) | {"n_members": of_each}
    joined.attrs["sampling"] = json.dumps(options)
    return restate_calibrations(restate_settings(joined), parts)


def _kind(model: Emulator) -> dict[str, Any]:
    """What models of one mixture have in common."""
    card = model.card.model_dump(
        mode="json", exclude={"weights_sha256", "metrics", "schedule", "modes"}
    )
    del card["attributes"], card["training"]["seed"]
    return card
