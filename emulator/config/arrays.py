"""What suites of arrays ask of the other sections: their defaults, and what they refuse.

A suite of arrays has no matter: no mass to draw windows by, no surroundings, no wave numbers in
h/Mpc. Sections whose defaults are those of matter have others there.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from emulator.config.data import DataConfig
from emulator.config.evaluation import ValidationConfig
from emulator.config.suites import ArraysSuite
from emulator.config.suites.arrays import as_arrays


def fill_in_arrays(value: Any) -> Any:
    """A raw config whose suite is of arrays, with what is left out there filled in."""
    suite = value.get("suite") if isinstance(value, Mapping) else None
    if not isinstance(suite, Mapping) or suite.get("kind") != "arrays":
        return value
    declared = suite.get("parameters", ())
    named = [p["name"] for p in declared if isinstance(p, Mapping) and "name" in p]
    filled = dict(value)
    sections: dict[str, dict[str, Any]] = {
        "data": {"context_factors": [], "fields": []},
        "training": {"mass_tilt": 0.0},
        "model": {"params": named},
    }
    for section, defaults in sections.items():
        given = value.get(section) or {}
        if isinstance(given, Mapping):
            filled[section] = {**defaults, **given}
    data = filled["data"]
    if isinstance(data, dict):
        names = [field for field in data["fields"] or () if isinstance(field, str)]
        if names:
            raise ValueError(
                f"data.fields names {names} of the table of fields, which are of matter: fields of "
                "suite.kind arrays are declared there, each with name, label and unit"
            )
        data["fields"] = as_arrays(data["fields"])
    return filled


def require_arrays(
    suite: ArraysSuite | None,
    *,
    data: DataConfig,
    params: Sequence[str],
    tilts: Mapping[str, float],
    drop_context: float,
    objective: str,
    paints: bool,
    validation: ValidationConfig,
) -> None:
    """Refuse what arrays cannot have, and their own keys where there are none.

    Parameters
    ----------
    suite
        The section, where the config holds it and it is of arrays.
    data, params, validation
        Sections, and the parameters of the model.
    tilts
        Powers of a mass by key.
    drop_context
        Share of samples that are trained without surroundings.
    objective
        What the model is trained for.
    paints
        Whether boxes are to be painted.

    Raises
    ------
    ValueError
        Names the key, what was expected and what to do.
    """
    if not data.of_arrays:
        if validation.k_range is not None:
            raise ValueError(
                "validation.k_range belongs to suite.kind arrays; set k_min_hmpc and k_max_hmpc"
            )
        return
    for key, power in tilts.items():
        if power > 0:
            raise ValueError(
                f"{key} weighs windows or pixels by their mass, and arrays have none: expected 0, "
                f"got {power:g}; leave it out"
            )
    if drop_context > 0:
        raise ValueError(
            "diffusion.drop_context: arrays have no surroundings to leave out: expected 0, got "
            f"{drop_context:g}"
        )
    if objective == "consistency":
        raise ValueError(
            f"training.objective: {objective} is not known for suite.kind arrays yet: expected "
            "diffusion, residual or one_step"
        )
    if paints:
        raise ValueError(
            "painting: whole boxes are of matter, and arrays are drawn whole by sample: leave it "
            "out"
        )
    _require_units_of_their_own(validation)
    if suite is not None:
        _require_fit(suite, data, params)


def _require_units_of_their_own(validation: ValidationConfig) -> None:
    """Keys that are in units of matter stay as they are: nothing reads them."""
    default = ValidationConfig()
    for key, instead in {
        "k_min_hmpc": "k_range, in 1/suite.length_unit",
        "k_max_hmpc": "k_range, in 1/suite.length_unit",
        "occupied_msunh": "nothing: arrays have no masses",
    }.items():
        if getattr(validation, key) != getattr(default, key):
            raise ValueError(
                f"validation.{key} is of masses, and the suite is of arrays; use {instead}"
            )


def _require_fit(suite: ArraysSuite, data: DataConfig, params: Sequence[str]) -> None:
    rows, columns = data.window_shape
    if "d4" in suite.symmetries and rows != columns:
        raise ValueError(
            f"suite.symmetries: d4 turns y into x, and data.shape is {[rows, columns]}: expected a "
            "square, or no d4"
        )
    known = [field.name for field in (*suite.conditions, *data.targets)]
    strangers = [name for pair in suite.vectors for name in pair if name not in known]
    strangers += [name for name in suite.arrays if name not in known]
    if strangers:
        raise ValueError(
            f"suite.vectors and suite.arrays name {strangers}; the fields are {', '.join(known)}"
        )
    declared = [parameter.name for parameter in suite.parameters]
    unknown = [name for name in params if name not in declared]
    if unknown:
        raise ValueError(
            f"model.params names {unknown}, and suite.parameters declares "
            f"{', '.join(declared) or 'none'}: declare them there, with array and range, or leave "
            "them out"
        )
