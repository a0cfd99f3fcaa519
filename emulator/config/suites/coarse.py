"""Two resolutions of one run of dark matter alone: ``suite.coarse_mesh`` of the embedded suite.

The cheap run has the gravity mesh ``coarse_mesh``, the expensive one ``mesh``; phases, particles
and time steps are the same. Neither has baryons, so that all that makes or moves baryons must be
left as it is, and only cosmology is varied. ``suite`` is the section of an embedded suite.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from emulator.config.suites.redshifts import PARAMETER as REDSHIFT
from emulator.fields import Field, of_dark_matter_alone

VARIED = ("Omega_m", "sigma_8")
"""Parameters that dark matter alone depends on."""

KEY = "suite.coarse_mesh"


def fill_in_coarse(value: Any) -> Any:
    """A raw config whose suite has a coarse mesh, with what is left out there filled in."""
    suite = value.get("suite") if isinstance(value, Mapping) else None
    if not isinstance(suite, Mapping) or suite.get("coarse_mesh") is None:
        return value
    redshifts = suite.get("redshifts") or ()
    told = [REDSHIFT] if isinstance(redshifts, Sequence) and len(redshifts) > 1 else []
    return {
        **value,
        "suite": {**suite, "design": _filled(suite.get("design"), sb_per_run=1)},
        "data": _filled(value.get("data"), fields=["dm_fine"]),
        "model": _filled(value.get("model"), params=[*VARIED, *told]),
    }


def _filled(section: Any, **defaults: Any) -> Any:
    """A raw section with defaults; one that is none is told of later."""
    section = {} if section is None else section
    return {**defaults, **section} if isinstance(section, Mapping) else section


def require_gravity_alone(suite: Any) -> None:
    """Refuse a coarse mesh that is finer than the fine one, and keys of baryons.

    Raises
    ------
    ValueError
        Names the keys, what was expected and what there is.
    """
    if suite.coarse_mesh is None:
        return
    if suite.coarse_mesh > suite.mesh:
        raise ValueError(
            f"coarse_mesh: expected at most mesh ({suite.mesh}), the gravity mesh of the fine run, "
            f"got {suite.coarse_mesh}"
        )
    design, defaults = suite.design, type(suite).model_fields
    # sets of baryons: a second simulation of a run would be the first once more
    expected = {
        "design.sb_per_run": (design.sb_per_run, 1),
        "design.be_draws": (design.be_draws, 0),
        **{
            key: (getattr(suite, key), defaults[key].default)
            for key in (
                "environment_strength",
                "chaos_strength",
                "diffuse_strength",
                "thermodynamics",
            )
        },
        **{
            f"design.fiducial.{name}": (value, None)
            for name, value in design.fiducial.items()
            if name not in VARIED
        },
    }
    wrong = [
        f"{key}: expected {'none' if want is None else want}, got {got}"
        for key, (got, want) in expected.items()
        if got != want
    ]
    if wrong:
        raise ValueError(
            f"{'; '.join(wrong)}. With coarse_mesh both runs are of dark matter alone: what makes "
            "baryons, or varies them, does nothing; set it as expected, or leave coarse_mesh out"
        )


def require_params_of_gravity(suite: Any, params: Sequence[str]) -> None:
    """Refuse parameters of a model that do nothing to dark matter alone.

    Raises
    ------
    ValueError
        Names them.
    """
    if suite.coarse_mesh is None:
        return
    idle = [name for name in params if name not in (*VARIED, REDSHIFT)]
    if idle:
        raise ValueError(
            f"model.params: with {KEY} both runs are of dark matter alone, and {', '.join(idle)} "
            f"do nothing: expected {', '.join(VARIED)}, got {', '.join(params)}"
        )


def lacks(suite: Any, field: Field) -> str | None:
    """Why a field is not that of two runs of dark matter alone, or of a pair with baryons."""
    is_fine = of_dark_matter_alone([field])
    if suite.coarse_mesh is None:
        reason = f"a finer run of dark matter alone is made only with {KEY}: its coarser mesh"
        return reason if is_fine else None
    if is_fine:
        return None
    return (
        f"with {KEY} the target is a second run of dark matter alone, and there are no baryons: "
        "map dm_fine"
    )
