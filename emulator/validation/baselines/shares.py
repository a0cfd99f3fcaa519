r"""Which part of the matter is in which field, if it followed the matter.

With :math:`f_b = \Omega_b / \Omega_m` of a simulation and the mean share :math:`s` that a sparse
baryonic field (stars) holds in training, dark matter has :math:`1 - f_b`, sparse baryons their
:math:`s`, and the other baryons (gas) share what is left of :math:`f_b`. All matter has 1.

Not guaranteed: shares follow ``omega_b / omega_m`` but no other parameter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emulator.fields import CONDITION, Field, load_fields
from emulator.io import open_hdf5, require_attribute


@dataclass(frozen=True)
class Shares:
    """Shares of fields.

    Attributes
    ----------
    fields
        Fields that hold a share: those that are forecast, and sparse baryons that maps hold
        besides, which take theirs all the same.
    measured
        Mean over training simulations of their mass over that of the DMO map, by name; baryons
        only.
    """

    fields: tuple[Field, ...]
    measured: Mapping[str, float]

    def of(self, attrs: Mapping[str, Any]) -> dict[str, float]:
        """Share of the DMO mass in each field of a simulation with ``omega_b`` and ``omega_m``."""
        baryons = float(attrs["omega_b"]) / float(attrs["omega_m"])
        kinds = [field for field in self.fields if field.share == "baryons"]
        sparse = {field.name: self.measured[field.name] for field in kinds if field.sparse}
        smooth = {field.name: self.measured[field.name] for field in kinds if not field.sparse}
        rest, whole = max(baryons - sum(sparse.values()), 0.0), sum(smooth.values())
        exact = {"dark_matter": 1.0 - baryons, "matter": 1.0}
        dark = {f.name: exact[f.share] for f in self.fields if f.share in exact}
        return (
            dark
            | sparse
            | {
                name: rest * (value / whole if whole > 0 else 1.0 / len(smooth))
                for name, value in smooth.items()
            }
        )


def measure_shares(paths: Sequence[Path], fields: Sequence[Field]) -> Shares:
    """Measure the baryons in the maps of the training simulations.

    Parameters
    ----------
    paths
        Maps files; only their attributes are read.
    fields
        What is forecast.

    Raises
    ------
    DataError
        A file without the mass of a field.
    """
    known = _fields_of(paths[0])
    hidden = [f for f in known if f.sparse and f.share == "baryons" and f.adds_up]
    names = {field.name for field in fields}
    sharing = (
        *(field for field in fields if field.share is not None),
        *(field for field in hidden if field.name not in names),
    )
    baryons = [field.name for field in sharing if field.share == "baryons"]
    rows = [_masses_over_dmo(path, baryons) for path in paths]
    measured = {name: float(np.mean([row[name] for row in rows])) for name in baryons}
    return Shares(sharing, measured)


def _fields_of(path: Path) -> tuple[Field, ...]:
    """What the species of a maps file are."""
    with open_hdf5(path) as handle:
        names = [value.decode() for value in handle["species"][:]]
        # netCDF4 writers store scalar attributes as arrays of one value.
        attrs = {
            key: np.asarray(value).item() for key, value in handle.attrs.items() if key == "fields"
        }
    return load_fields(attrs, names, path)


def _masses_over_dmo(path: Path, names: Sequence[str]) -> dict[str, float]:
    with open_hdf5(path) as handle:
        # netCDF4 writers store scalar attributes as arrays of one value.
        masses = {
            name: np.asarray(require_attribute(handle.attrs, f"mass_map_{name}", str(path))).item()
            for name in (CONDITION.name, *names)
        }
    return {name: masses[name] / masses[CONDITION.name] for name in names}
