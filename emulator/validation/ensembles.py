"""Ensemble files of held-out simulations, read and checked."""

from pathlib import Path

import numpy as np
import xarray as xr

from emulator.domain import domain_of, pixel_of
from emulator.fields import Field, load_fields
from emulator.io import DataError, read_dataset, require_attribute
from emulator.metrics import registry

DIMS = {
    "fields": ("sample", "member", "channel"),
    "truth": ("sample", "channel"),
    "condition": ("sample",),
    "params": ("sample", "parameter"),
    "centre": ("sample", "axis"),
    "projection": ("sample",),
    "model_seed": ("member",),
}
MAPS = ("fields", "truth", "condition")
"""Those that have the axes of space, too, behind the others."""


def read_ensemble(path: str | Path) -> xr.Dataset:
    """Read and check one ensemble file.

    Raises
    ------
    DataError
        For missing variables, fields that nobody declares, NaN or infinite values, negative values
        of fields that are not signed, or fewer members than every metric accepts.
    """
    # without what it was stored as: a text type of 3 letters would cut longer names on writing
    ensemble = read_dataset(path).drop_encoding()
    space = domain_of(ensemble.attrs, path).axes
    for name, leading in DIMS.items():
        dims = (*leading, *space) if name in MAPS else leading
        if name not in ensemble:
            raise DataError(path, f"variable {name!r}", ", ".join(map(str, ensemble.data_vars)))
        if set(ensemble[name].dims) != set(dims):
            raise DataError(f"{path}:{name}", f"dimensions {dims}", f"{ensemble[name].dims}")
        if name in MAPS:
            ensemble[name] = ensemble[name].transpose(*dims)
    fields, domain = fields_of(ensemble, path), domain_of(ensemble.attrs, path)
    for name in MAPS:
        rows = fields if "channel" in ensemble[name].dims else domain.conditions[:1]
        _require_values(ensemble[name], rows, f"{path}:{name}")
    fewest, n_members = registry.smallest_ensemble(), ensemble.sizes["member"]
    if n_members < fewest:
        raise DataError(
            path, f"at least {fewest} members", f"{n_members}", "Raise sampling.n_members."
        )
    pixel = "pixel_mpch" if domain.is_matter else "pixel"
    for name in ("simulation", "run", pixel):
        require_attribute(ensemble.attrs, name, str(path))
    # Wave numbers follow from it: what files round differently must not make two sets of them.
    if domain.is_matter:
        ensemble.attrs[pixel] = round(pixel_of(ensemble.attrs), 9)
    return ensemble


def fields_of(ensemble: xr.Dataset, path: str | Path) -> tuple[Field, ...]:
    """What the channels of an ensemble are: as its attribute ``fields`` says, or of the table.

    Raises
    ------
    DataError
        A channel that neither knows, or a declaration that is none.
    """
    return load_fields(ensemble.attrs, ensemble["channel"].values.astype(str).tolist(), path)


def _require_values(values: xr.DataArray, fields: tuple[Field, ...], where: str) -> None:
    """Refuse values that are not finite, and negative ones of fields that are not signed."""
    by_channel = "channel" in values.dims
    for i, field in enumerate(fields):
        maps = (values.isel(channel=i) if by_channel else values).values
        # A NaN makes the minimum NaN, and every comparison with NaN is false.
        lowest, what = (-np.inf, "finite values") if field.signed else (0.0, "finite masses >= 0")
        if maps.min() >= lowest and maps.max() < np.inf and np.isfinite(maps.min()):
            continue
        bad = int((~np.isfinite(maps) | (maps < lowest)).sum())
        bad_kinds = "NaN or infinite" if field.signed else "NaN, infinite or negative"
        raise DataError(
            where,
            what if field.adds_up or field.signed else "finite values >= 0",
            f"{bad} of {maps.size} values of {field.name} that are {bad_kinds}",
            "Sample again; if it persists the model diverged.",
        )
