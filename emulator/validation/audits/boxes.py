r"""Whole boxes: painted members beside the truth, from the longest wave of the box on.

A window says nothing of waves longer than itself, and a box that is painted out of windows might
lack them. Spectra are those of :mod:`emulator.metrics.power_spectrum`; maps are periodic, so no
window function enters. With :math:`P_{ij}` the sum over boxes and members,

.. math:: \frac{P_{members}}{P_{truth}}, \qquad r = \frac{P_{mt}}{\sqrt{P_{mm} P_{tt}}}

are formed last, and also for every member of every box by itself.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from emulator.config import SamplingConfig, maps_file
from emulator.data.maps import Maps, read_maps
from emulator.fields import CONDITION
from emulator.metrics.channels import add_total, common_unit
from emulator.metrics.power_spectrum import correlation_coefficient, power_ratio, power_spectrum
from emulator.projection.pyramid import block_mean
from emulator.sampling.base import BaseEmulator
from emulator.sampling.painting.budget import add_budget
from emulator.validation.scales import scales_of, unit_of

MOST_SHOWN = 256
"""Pixels a side of the box that the report shows; of a larger one, block means."""

BUDGET = ("total_over_dmo", "baryons_over_cosmic")


class Painted(NamedTuple):
    """One box: spectra and masses, and its maps."""

    spectra: xr.Dataset
    maps: xr.Dataset


def audit_boxes(
    model: BaseEmulator,
    simulations: Sequence[str],
    maps_dir: Path,
    sampling: SamplingConfig,
    n_members: int,
) -> xr.Dataset:
    """Paint the first map of each simulation, and compare.

    Parameters
    ----------
    model
        One, or several as one.
    simulations
        Names; their maps are of whole boxes.
    maps_dir
        Folder of ``{simulation}.h5``.
    sampling
        What members are drawn with.
    n_members
        Of each box, from each model.

    Returns
    -------
    By ``box`` (its name), ``box_member``, ``field`` (channels and their sum) and ``k``:
    ``box_power_ratio``, ``box_correlation_members``, ``box_correlation_dmo`` (without members), the
    same of all (``_summed``), ``box_mass_ratio`` and what :func:`add_budget` says of members and
    truth; ``box_map_dmo, box_map_truth, box_map_member`` of the first box.

    Raises
    ------
    EmulatorError
        Boxes that do not fit the model.
    """
    boxes = [_paint(model, maps_file(maps_dir, name), sampling, n_members) for name in simulations]
    joined = xr.concat([box.spectra for box in boxes], "box").assign_coords(box=list(simulations))
    return summarise(joined).merge(boxes[0].maps).assign_attrs(boxes[0].maps.attrs)


def summarise(spectra: xr.Dataset) -> xr.Dataset:
    """Ratios and correlations from spectra by box; see :func:`audit_boxes`."""
    over = ("box", "box_member")
    members, crossed = spectra["members"], spectra["members_truth"]
    truth, dmo, dmo_truth = (spectra[name] for name in ("truth", "dmo", "dmo_truth"))
    n_members = spectra.sizes["box_member"]
    all_truth = truth.sum("box")
    found = {
        "power_ratio": power_ratio(members, truth),
        "power_ratio_summed": power_ratio(members.sum(over) / n_members, all_truth),
        "correlation_members": correlation_coefficient(crossed, members, truth),
        "correlation_members_summed": correlation_coefficient(
            crossed.sum(over) / n_members, members.sum(over) / n_members, all_truth
        ),
        "correlation_dmo": correlation_coefficient(dmo_truth, dmo, truth),
        "correlation_dmo_summed": correlation_coefficient(
            dmo_truth.sum("box"), dmo.sum("box"), all_truth
        ),
    }
    kept = [name for name in spectra if str(name).startswith("box_")]
    return spectra[kept].assign({f"box_{name}": values for name, values in found.items()})


def _paint(model: BaseEmulator, path: Path, sampling: SamplingConfig, n_members: int) -> Painted:
    maps = read_maps(path)
    painted = model.paint(
        path, projection=maps.projections[0], n_members=n_members * len(model.parts),
        seed=sampling.seed, sampling=sampling, out_of_range="warn", progress=True,
    )  # fmt: skip
    return compare(painted, maps, model)


def compare(painted: xr.Dataset, maps: Maps, model: BaseEmulator) -> Painted:
    """Members of the first map of a file beside its truth; see :func:`audit_boxes`.

    Parameters
    ----------
    painted
        ``fields (member, channel, y, x)`` of :meth:`BaseEmulator.paint`.
    maps
        With the truth.
    model
        For its fields.
    """
    fields = model.fields
    names = [field.name for field in fields]
    values = maps.select([CONDITION.name, *names])[0]
    unit = unit_of(maps)
    scales, pixel = scales_of(maps, fields, unit), maps.pixel_mpch
    dmo = xr.DataArray(values[0].astype(np.float64) / unit, dims=("y", "x"))
    dims = ("channel", "y", "x")
    masses = xr.DataArray(values[1:].astype(np.float64), dims=dims, coords={"channel": names})
    drawn = painted["fields"].reset_coords(drop=True).rename(member="box_member")
    truth = add_total(masses / scales, fields)
    members = add_total(drawn.astype(np.float64) / scales, fields)
    members = members.transpose("box_member", "field", "y", "x")
    as_one = dmo.expand_dims(field=truth["field"].values)

    def power(one: xr.DataArray, other: xr.DataArray | None = None) -> xr.DataArray:
        return power_spectrum(one, other, pixel_mpch=pixel)

    ratio = power_ratio(members.mean(("y", "x")), truth.mean(("y", "x")))
    ratio.attrs["long_name"] = "mass of members over that of the truth"
    everyone = truth.expand_dims(box_member=members["box_member"].values)
    spectra = xr.Dataset(
        {
            "members": power(members),
            "members_truth": power(members, everyone.transpose(*members.dims)),
            "truth": power(truth.transpose("field", "y", "x")),
            "dmo": power(dmo),
            "dmo_truth": power(as_one, truth.transpose("field", "y", "x")),
            "box_mass_ratio": ratio,
            **_budget(painted, masses, model),
        }
    )
    first = drawn.isel(box_member=0).transpose(*dims).values
    shown = _shown(values[0], values[1:], first, names, pixel)
    for name in shown:
        is_given = name == "box_map_dmo"
        shown[name].attrs["units"] = CONDITION.unit if is_given else common_unit(fields)
    return Painted(spectra, shown)


def _budget(
    painted: xr.Dataset, masses: xr.DataArray, model: BaseEmulator
) -> Mapping[str, xr.DataArray]:
    """Where the mass is, of members and of the truth; nothing where fields are not all matter."""
    share = float(painted.attrs["baryon_fraction"]) if "baryon_fraction" in painted.attrs else None
    if share is None or BUDGET[0] not in painted:
        return {}
    true = xr.Dataset({"fields": masses.expand_dims("member"), "condition": painted["condition"]})
    truth = add_budget(true, model.fields, share).isel(member=0)
    found = {}
    for name in BUDGET:
        members = painted[name].reset_coords(drop=True).rename(member="box_member")
        found[f"box_{name}_members"] = members.astype(np.float64)
        found[f"box_{name}_truth"] = truth[name].reset_coords(drop=True).astype(np.float64)
    return found


def _shown(
    dmo: np.ndarray, truth: np.ndarray, member: np.ndarray, names: Sequence[str], pixel: float
) -> xr.Dataset:
    """Maps for the page, of few enough pixels."""
    side = dmo.shape[-1]
    factor = next(f for f in range(1, side + 1) if side % f == 0 and side // f <= MOST_SHOWN)
    dims = ("channel", "box_y", "box_x")
    small = [block_mean(each, factor).astype(np.float32) for each in (dmo, truth, member)]
    return xr.Dataset(
        {
            "box_map_dmo": (dims[1:], small[0]),
            "box_map_truth": (dims, small[1]),
            "box_map_member": (dims, small[2]),
        },
        coords={"channel": list(names)},
        attrs={"box_pixel_mpch": pixel * factor, "box_block": factor},
    )
