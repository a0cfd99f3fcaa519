r"""Spectra of one simulation, window by window: what all metrics of wave number are made of.

Masses are in units of the box's mean DMO mass per pixel, so that simulations of different matter
density compare, and the spectrum of the total is the matter power spectrum. Other fields are in
units of their root mean square over the box.
"""

import numpy as np
import xarray as xr

from emulator.fields import summands
from emulator.metrics.base import Case
from emulator.metrics.calibration import member_pair_power
from emulator.metrics.channels import names_with_total
from emulator.metrics.power_spectrum import Shells, build_shells, fourier_modes, shell_power
from emulator.units import Unit

DIMS = {"members": ("member", "field", "k"), "dmo": ("k",)}


def window_spectra(case: Case) -> xr.Dataset:
    """Spectra of every window; ask for them by ``case.shared(window_spectra)``.

    Returns
    -------
    ``truth, member_truth, member_member, dmo_truth (sample, field, k)``, ``members (sample, member,
    field, k)`` and ``dmo (sample, k)`` [(Mpc/h)^2, of volumes (Mpc/h)^3]. Cross spectra of members
    are means over members or pairs of members, unbiased for 2 members or more. Coordinates
    ``field`` (channels, and their total), ``k`` [h/Mpc] and ``n_modes``.
    """
    ensemble = case.ensemble
    shells = build_shells(case.shape, case.pixel_mpch)
    rows = [_one_window(case, i, shells) for i in range(ensemble.sizes["sample"])]
    attrs, of_k = {"units": case.domain.power}, {"units": case.domain.wave_number}
    return xr.Dataset(
        {
            name: (
                ("sample", *DIMS.get(name, ("field", "k"))),
                np.asarray([row[name] for row in rows]),
                attrs,
            )
            for name in rows[0]
        },
        coords={
            "field": names_with_total(case.fields),
            "k": ("k", shells.k_hmpc, of_k | {"long_name": "wave number"}),
            "n_modes": ("k", shells.n_modes, {"units": str(Unit.DIMENSIONLESS)}),
        },
    )


def mean_spectra(case: Case, *names: str) -> xr.Dataset:
    """Named spectra of :func:`window_spectra`, mean over windows, as ``power_{name}``."""
    spectra = case.shared(window_spectra)
    return xr.Dataset(
        {f"power_{name}": spectra[name].mean("sample").assign_attrs(spectra[name].attrs)
         for name in names}
    )  # fmt: skip


def _one_window(case: Case, sample: int, shells: Shells) -> dict[str, np.ndarray]:
    """Spectra ``(field, k)``; ``members`` have a leading axis, ``dmo`` has no field."""
    window = case.ensemble.isel(sample=sample)
    truth = scaled_modes(case, window["truth"])
    members = scaled_modes(case, window["fields"])
    dmo = fourier_modes(window["condition"].values / case.mean_dmo, shells.dimensions)
    mean = members.mean(axis=0)
    power = shell_power(members, members, shells)
    return {
        "truth": shell_power(truth, truth, shells),
        "members": power,
        "dmo": shell_power(dmo, dmo, shells),
        "member_truth": shell_power(mean, truth, shells),
        "member_member": member_pair_power(
            power.mean(axis=0), shell_power(mean, mean, shells), len(members)
        ),
        "dmo_truth": shell_power(np.broadcast_to(dmo, truth.shape), truth, shells),
    }


def scaled_modes(case: Case, values: xr.DataArray) -> np.ndarray:
    """Modes ``(..., field, n, n // 2 + 1)`` of maps ``(..., channel, y, x)`` and of their total.

    Fields are in units of ``case.scales``, the total in units of the mean DMO mass.
    """
    space = case.domain.axes
    maps = values.transpose(..., "channel", *space).values
    channel = -1 - len(space)
    parts = [i for i, field in enumerate(case.fields) if field.name in summands(case.fields)]
    scales = case.scales.values
    if parts:
        total = np.take(maps, parts, axis=channel).sum(axis=channel, keepdims=True)
        maps = np.concatenate([maps, total], axis=channel)
        scales = np.append(scales, case.mean_dmo)
    # in the precision of the maps, as a plain number would be
    unit = scales.astype(maps.dtype).reshape(-1, *(1,) * len(space))
    return fourier_modes(maps / unit, len(space))
