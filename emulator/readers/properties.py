r"""Properties of particles, whose mass-weighted means can be fields.

A property is the dataset of its name, with one number a particle, in the units of the file; or one
that is derived:

``temperature``
    Of gas [K], from its internal energy per mass ``u`` [(km/s)^2] and electrons per hydrogen
    ``x_e``,

    .. math:: T = (\gamma - 1)\, u\, \mu m_p / k_B, \qquad
              \mu = 4 / (1 + 3 X_H + 4 X_H x_e),

    with :math:`\gamma = 5/3` and :math:`X_H = 0.76` (the data specification of IllustrisTNG);
    or the dataset ``Temperatures`` (SWIFT) where there is one.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emulator.io import DataError, dataset_of, h5py_errors, names_in

if TYPE_CHECKING:
    import h5py

GAMMA, HYDROGEN = 5.0 / 3.0, 0.76
PROTON_OVER_BOLTZMANN = 1.67262192e-27 / 1.380649e-23 * 1.0e6
"""m_p / k_B [K / (km/s)^2]."""


def read_property(
    group: "h5py.Group", name: str, rows: slice, count: int, where: str
) -> NDArray[np.float64]:
    """Values of a property of some particles.

    Parameters
    ----------
    group
        Particles of one type.
    name
        Of a dataset, or ``temperature``.
    rows
        Which particles.
    count
        Particles of the group.
    where
        File and group, for messages.

    Raises
    ------
    DataError
        A dataset that is missing, is damaged, or has not one finite number a particle.
    """
    if name != "temperature":
        return _read(group, name, rows, count, where)
    if "Temperatures" in group:
        return _read(group, "Temperatures", rows, count, where)
    energy = _read(group, "InternalEnergy", rows, count, where)
    electrons = _read(group, "ElectronAbundance", rows, count, where)
    mu = 4.0 / (1.0 + 3.0 * HYDROGEN + 4.0 * HYDROGEN * electrons)
    return (GAMMA - 1.0) * energy * mu * PROTON_OVER_BOLTZMANN


def _read(group: "h5py.Group", name: str, rows: slice, count: int, where: str) -> NDArray[Any]:
    if name not in group:
        raise DataError(
            f"{where}/{name}",
            "a dataset",
            f"only {', '.join(names_in(group)) or 'none'}",
            "data.fields asks for a field that is made of it.",
        )
    dataset = dataset_of(group, name, where)
    if dataset.shape != (count,):
        raise DataError(f"{where}/{name}", f"one number a particle, ({count},)", f"{dataset.shape}")
    with h5py_errors(f"{where}/{name}"):
        values = np.asarray(dataset[rows], np.float64)
    if not np.isfinite(values).all():
        raise DataError(f"{where}/{name}", "finite values", "NaN or infinity")
    return values
