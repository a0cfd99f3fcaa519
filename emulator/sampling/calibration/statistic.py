r"""What is calibrated: the spread of means over squares, over the error of their mean.

.. math:: q_{c, \ell} = \ln \sqrt{\frac{M + 1}{M} \frac{\langle s^2 \rangle}{\langle e^2 \rangle}}

for field ``c`` and squares of :math:`\ell` pixels a side, with means over windows and squares: 0 if
calibrated, whatever the number M of members. It is what the validation judges: pixels as in
:mod:`emulator.metrics.spread_skill`, squares as in :mod:`emulator.metrics.spread_skill_squares`.
The only differences: means are over windows, not over runs; and the unit of a field that is no mass
is its rms in these windows of its simulation, not in the whole box.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from emulator.fields import Field
from emulator.metrics.calibration import spread_skill_ratio
from emulator.metrics.scores import squares_of
from emulator.metrics.spread_skill_squares import spread_and_skill_of_squares
from emulator.sampling.task import Task

Floats = NDArray[np.float64]


def sides_of(window: int | tuple[int, int]) -> list[int]:
    """Sides of what is looked at: the pixel, and the squares that the validation judges [pixel]."""
    return [1, *squares_of(window)]


class Statistic:
    """The numbers of an ensemble of these windows.

    Parameters
    ----------
    task
        The windows.
    fields
        Of the model, in order.
    """

    def __init__(self, task: Task, fields: tuple[Field, ...]) -> None:
        names = [field.name for field in fields]
        self.masses = [field.name for field in fields if field.adds_up]
        self.condition = task.conditions["condition"]
        self.truth = (task.truth * task.units).assign_coords(channel=names)
        self.sides = sides_of((self.truth.sizes["y"], self.truth.sizes["x"]))
        squares = (self.truth**2).mean(("y", "x")).assign_coords(owner=("sample", task.owners))
        of_owner = squares.groupby("owner").mean("sample") ** 0.5
        rms = of_owner.sel(owner=xr.DataArray(task.owners, dims="sample")).drop_vars("owner")
        others = rms.where(rms > 0, 1.0)
        is_mass = self.truth["channel"].isin(self.masses)
        self.scales = task.units.assign_coords(channel=names).where(is_mass, others)

    def log_ratios(self, drawn: xr.DataArray) -> Floats:
        """Logarithms ``(field, side)`` of spread over skill; not finite where it has none.

        Parameters
        ----------
        drawn
            ``(sample, member, channel, y, x)`` in the units of the fields.
        """
        values = [self._ratio(drawn, side) for side in self.sides]
        with np.errstate(divide="ignore"):
            logs: Floats = np.log(np.stack(values, axis=1))
        return logs

    def _ratio(self, drawn: xr.DataArray, side: int) -> Floats:
        variance, error = spread_and_skill_of_squares(
            drawn.drop_vars(["y", "x", "member"], errors="ignore"),
            self.truth,
            self.condition,
            side,
            # as the judge: pixels count with their mass, squares all alike
            masses=self.masses if side > 1 else [],
            scales=self.scales,
        )
        places = ("sample", "y", "x")
        ratio = spread_skill_ratio(variance.mean(places), error.mean(places), drawn.sizes["member"])
        found: Floats = ratio.values
        return found
