r"""What a model says that parameters do: summaries of a box at several values, with common noise.

Everything but one parameter is held: the DMO map, the noise of every member, all other parameters.
So the difference of two members of one number is the work of the parameter, and its scatter over
members is that of the difference and not of the fields:

.. math:: R(p) = \frac1M \sum_m \ln\frac{S_m(p)}{S_m(p_0)}, \qquad
    \sigma_R^2 = \frac{1}{M(M-1)} \sum_m \Big(\ln\frac{S_m(p)}{S_m(p_0)} - R\Big)^2 .

Where a summary is zero its logarithm, and so the response, is NaN.

Not in it: what a parameter of cosmology does to the DMO map, which is given and stays as it is.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr

from emulator.io import EmulatorError
from emulator.metrics.summaries import SUMMARIES
from emulator.progress import Progress
from emulator.sampling.cf import describe
from emulator.sampling.painting.painter import Painter
from emulator.units import Unit

Painters = Callable[[Mapping[str, float]], Painter]
"""A painter of the same box and noise at other parameters."""


def measure_response(
    painters: Painters,
    params: Mapping[str, float],
    vary: Mapping[str, Sequence[float]],
    *,
    n_members: int,
    summaries: Sequence[str],
    progress: bool = False,
) -> xr.Dataset:
    """Responses of the summaries of a box.

    Parameters
    ----------
    painters
        Makes the painter of a set of parameters; box, seed and noise are always the same.
    params
        The point that all others are compared with.
    vary
        Values by the name of a parameter: one at a time, the others as in ``params``.
    n_members
        Two or more: one tells no scatter.
    summaries
        Names of :data:`SUMMARIES`.
    progress
        Print a progress line on standard error.

    Returns
    -------
    Dataset along ``point`` with coordinates ``parameter`` and ``value``: for every summary its
    ``{name}`` ``(point, member, channel, ...)``, ``{name}_fiducial`` without points, and
    ``{name}_response``, ``{name}_error`` ``(point, channel, ...)``, the mean of ln(S / S_fiducial)
    and its standard error.

    Raises
    ------
    EmulatorError
        An unknown parameter or summary, nothing to vary, or fewer than two members.
    """
    _require(params, vary, n_members, summaries)
    places = [(name, float(value)) for name, values in vary.items() for value in values]
    points = [dict(params), *({**params, name: value} for name, value in places)]
    all_painters = [painters(point) for point in points]
    height, width = all_painters[0].box.tiles.shape
    if "power" in summaries and height != width:
        raise EmulatorError(
            f"summaries: power is that of a square box, this one has {height} x {width} pixels; "
            "leave it out"
        )
    total = sum(painter.passes for painter in all_painters) * n_members
    line = Progress("response", total) if progress else None
    members = list(range(n_members))
    found = []
    for painter in all_painters:
        values = np.stack([painter.draw(member, line) for member in members])
        fields = painter.label(values, members)["fields"]
        pixel = painter.model.card.grid.pixel
        found.append({name: SUMMARIES[name](fields, pixel) for name in summaries})
    first = all_painters[0].label(values[:1] * 0.0, [0])
    return _assemble(found, places, summaries, first["fields"].attrs["units"]).assign_attrs(
        {key: first.attrs[key] for key in ("fields", "provenance", "noise_of", "sampling")}
        | {f"fiducial_{name}": float(value) for name, value in params.items()}
    )


def _require(
    params: Mapping[str, float],
    vary: Mapping[str, Sequence[float]],
    n_members: int,
    summaries: Sequence[str],
) -> None:
    if n_members < 2:
        raise EmulatorError(f"n_members: a response needs two members or more, got {n_members}")
    if unknown := [name for name in summaries if name not in SUMMARIES]:
        raise EmulatorError(f"summaries: expected some of {', '.join(SUMMARIES)}, got {unknown}")
    if not vary or any(len(np.atleast_1d(values)) == 0 for values in vary.values()):
        raise EmulatorError(
            "vary: expected values of at least one parameter, as in vary={'A_SN1': [0.5, 2]}"
        )
    if missing := [name for name in vary if name not in params]:
        raise EmulatorError(f"vary: the model is conditioned on {list(params)}, got {missing}")


def _assemble(
    found: Sequence[Mapping[str, xr.DataArray]],
    places: Sequence[tuple[str, float]],
    summaries: Sequence[str],
    unit: str,
) -> xr.Dataset:
    coords = {
        "parameter": ("point", [name for name, _ in places]),
        "value": ("point", [value for _, value in places]),
    }
    parts: dict[str, xr.DataArray] = {}
    for name in summaries:
        fiducial = found[0][name]
        moved = xr.concat([each[name] for each in found[1:]], "point")
        with np.errstate(divide="ignore", invalid="ignore"):
            change: xr.DataArray = xr.apply_ufunc(np.log, moved / fiducial)
        parts[name], parts[f"{name}_fiducial"] = moved, fiducial
        parts[f"{name}_response"] = change.mean("member")
        parts[f"{name}_error"] = change.std("member", ddof=1) / np.sqrt(fiducial.sizes["member"])
        for of, attrs in _attributes(name, unit).items():
            parts[f"{name}{of}"].attrs = attrs
    return describe(xr.Dataset(parts).assign_coords(coords))


def _attributes(name: str, unit: str) -> dict[str, dict[str, str]]:
    """Of the variables of a summary, by what follows its name."""
    units = {"mass": unit, "variance": f"({unit})^2", "power": f"{Unit.POWER_2D} ({unit})^2"}
    said = {"mass": "mean over the box", "variance": "variance of the pixels"}
    own, none = units[name], str(Unit.DIMENSIONLESS)
    text = said.get(name, "power spectrum")
    change = f"change of the logarithm of the {text}"
    return {
        "": {"long_name": f"{text}, at the point", "units": own},
        "_fiducial": {"long_name": f"{text}, of the fiducial parameters", "units": own},
        "_response": {"long_name": f"{change}, mean over members", "units": none},
        "_error": {"long_name": f"{change}, standard error", "units": none},
    }
