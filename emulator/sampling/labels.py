"""Labels of an ensemble: what was drawn, from what, by whom."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emulator.config import SamplingConfig
from emulator.data.condition import Condition
from emulator.fields import dump_fields, shared_unit
from emulator.metadata import provenance
from emulator.model.calibration import Calibration
from emulator.model.card import ModelCard
from emulator.model.redshift import common_redshift
from emulator.model.transforms import TRANSFORMS
from emulator.sampling.condition_score import MEANING, SCORE
from emulator.sampling.inputs import Observed

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
    domain, grid = card.domain, card.grid
    of_condition, length = {"units": domain.conditions[0].unit}, {"units": domain.length}
    of_context = {"units": shared_unit(domain.conditions[1:], domain.conditions[0].unit)}
    rows, columns = ((np.arange(side) + 0.5) * grid.pixel for side in grid.shape)
    further = [field.name for field in domain.conditions[1:]]
    return xr.Dataset(
        {
            "fields": (("sample", "member", "channel", "y", "x"), values, {"units": unit}),
            "condition": (("sample", "y", "x"), condition.field.numpy(), of_condition),
            "large_scale": (("sample", "level", "y", "x"), condition.context.numpy(), of_context),
            "params": (("sample", "parameter"), condition.params.numpy()),
            "seed": ((), seed),
        },
        coords={
            "channel": [field.name for field in fields],
            "member": list(members),
            "model_seed": ("member", [card.facts.seed] * len(members)),
            "model_member": ("member", list(members)),
            "level": list(card.normalisation.context_factors) or further,
            "parameter": list(card.normalisation.params),
            "y": ("y", rows, length),
            "x": ("x", columns, length),
        },
        attrs={
            **grid.attributes(),
            **common_redshift(card, condition.params),
            **domain.attributes(),
            "fields": dump_fields(fields),
            **({"empty_below": json.dumps(_empty_below(card))} if domain.is_matter else {}),
            "sampling": json.dumps(_as_drawn(options, condition, members, seed)),
            **_observation(observed),
            **provenance("sample", model=card.name, weights=[card.weights_sha256]),
            **{k: v for k, v in card.attributes.items() if k == "notice"},
        },
    )  # fmt: skip


def label_call(
    ensemble: "xr.Dataset",
    *,
    n_members: int,
    first_member: int,
    seed: int,
    noise_of: Sequence[str] | None,
    centres: Sequence[tuple[int, int]] | None,
    scores: NDArray[np.float64] | None,
) -> "xr.Dataset":
    """Say what was asked for in a call: the attribute ``call``, and ``centre (sample, axis)``.

    ``sampling`` is in terms of a config, where members are those of each model. Where they are
    known, ``condition_score (sample)`` says how usual the windows are.
    """
    said = {
        "n_members": int(n_members),
        "first_member": int(first_member),
        "seed": int(seed),
        "noise_of": None if noise_of is None else [str(name) for name in noise_of],
    }
    # one assignment for all: each aligns every index of the ensemble
    of_sample: dict[str, Any] = {}
    if scores is not None:
        of_sample[SCORE] = ("sample", scores, {"long_name": MEANING})
    if centres is not None:
        of_sample["centre"] = (("sample", "axis"), np.array(centres), {"units": "pixel"})
    labelled = ensemble.assign(of_sample) if of_sample else ensemble
    if scores is not None:
        labelled = labelled.set_coords(SCORE)
    return labelled.assign_attrs(call=json.dumps(said))


def label_setting(ensemble: "xr.Dataset", options: SamplingConfig) -> "xr.Dataset":
    """Say of each member which setting was found for its model: the coordinate ``setting``."""
    said = options.model_dump(mode="json", include={"solver", "n_steps", "spacing"})
    settings = [json.dumps(said, sort_keys=True)] * ensemble.sizes["member"]
    return ensemble.assign_coords(setting=("member", settings))


def label_calibration(
    ensemble: "xr.Dataset", calibration: Calibration | None, model_seed: int
) -> "xr.Dataset":
    """Say how the draws of a model were corrected: the attribute ``calibration``, by its seed."""
    if calibration is None:
        return ensemble
    return ensemble.assign_attrs(calibration=json.dumps({str(model_seed): calibration.correction}))


def calibrations_of(ensemble: "xr.Dataset") -> dict[str, Any]:
    """How the draws of its models were corrected, by ``model_seed``."""
    said: dict[str, Any] = json.loads(ensemble.attrs.get("calibration", "{}"))
    seeds = set(map(str, np.unique(ensemble["model_seed"].values).tolist()))
    return {seed: found for seed, found in said.items() if seed in seeds}


def restate_calibrations(joined: "xr.Dataset", parts: "Sequence[xr.Dataset]") -> "xr.Dataset":
    """Attribute ``calibration`` of members of several models: of each that was corrected."""
    found: dict[str, Any] = {}
    for part in parts:
        found |= calibrations_of(part)
    joined.attrs.pop("calibration", None)
    if found:
        joined.attrs["calibration"] = json.dumps(found)
    return joined


def align_settings(parts: "Sequence[xr.Dataset]") -> "Sequence[xr.Dataset]":
    """Parts that all have the coordinate ``setting``, or none of which has.

    Where one has it, the others were drawn with what their config named: the same recipe, if it is
    the same setting.
    """
    if not any("setting" in part.coords for part in parts):
        return parts
    return [
        part
        if "setting" in part.coords
        else label_setting(part, SamplingConfig.model_validate(_named(part)))
        for part in parts
    ]


def _named(part: "xr.Dataset") -> dict[str, Any]:
    """Setting that the record of an ensemble names."""
    said = json.loads(part.attrs["sampling"])
    return {key: said[key] for key in ("solver", "n_steps", "spacing")}


def restate_settings(joined: "xr.Dataset") -> "xr.Dataset":
    """Attributes of members whose settings were found, model by model: as the members say.

    ``solver`` and ``n_steps`` list the different settings in the order of the members;
    ``sampling`` holds that of each ``model_seed`` where there are several.
    """
    if "setting" not in joined.coords:
        return joined
    seeds, texts = joined["model_seed"].values.tolist(), joined["setting"].values.astype(str)
    of_seed = {str(seed): json.loads(text) for seed, text in zip(seeds, texts, strict=True)}
    settings = [json.loads(text) for text in dict.fromkeys(texts.tolist())]
    sampling = json.loads(joined.attrs["sampling"]) | settings[0]
    sampling.pop("settings", None)
    solvers = [setting["solver"]["name"] for setting in settings]
    if len(settings) == 1:
        joined.attrs |= {"solver": solvers[0], "n_steps": settings[0]["n_steps"]}
    else:
        steps = "; ".join(str(setting["n_steps"]) for setting in settings)
        joined.attrs |= {"solver": "; ".join(solvers), "n_steps": steps}
        sampling = {key: sampling[key] for key in sampling if key not in settings[0]}
        sampling["settings"] = of_seed
    joined.attrs["sampling"] = json.dumps(sampling)
    return joined


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
