r"""A metric: one class that computes, summarises, judges and describes one kind of statistic.

For every simulation :meth:`Metric.compute` keeps *linear* quantities :math:`x` (means over windows
and pixels); :meth:`Metric.summarise` forms ratios :math:`g(\langle x \rangle)` after the means over
runs, because a mean of ratios is biased; :meth:`Metric.bars` compares them with the config.

Not guaranteed: names of variables are unique among metrics only because the registry checks them.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from emulator.domain import MATTER, Domain
from emulator.fields import Field
from emulator.metrics.bars import Bar
from emulator.metrics.halos import WindowHalos
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.nearest import Nearest

if TYPE_CHECKING:
    from emulator.config import ValidationConfig

__all__ = ["Bar", "Case", "Metric", "Panel"]

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Case:
    """The ensemble of one simulation, as a metric sees it.

    Attributes
    ----------
    ensemble
        ``fields (sample, member, channel, y, x)``, ``truth (sample, channel, y, x)``, ``condition
        (sample, y, x)`` [unit of each field]; ``truth_redraw (draw, sample, channel, y, x)`` where
        the truth was drawn again. No coordinate along ``member``.
    fields
        What the channels are, in their order.
    pixel_mpch
        Side of a pixel [Mpc/h, or the unit of length of the domain].
    mean_dmo
        Mean of the condition over the whole box [Msun/h per pixel]; of arrays its root mean square.
    scales
        ``(channel,)`` float64: unit of spectra and variances [unit of each field]. ``mean_dmo`` for
        masses, the root mean square over the whole box for others.
    model_seed
        ``(member,)`` which trained model drew a member.
    forecasts
        Baselines by name, ``(sample, channel, y, x)``, or with ``member`` for ensembles; a baseline
        may leave out channels.
    config
        Thresholds.
    generator
        State from which :meth:`rng` starts.
    params
        Place of each parameter of the simulation in its range by name: 0 at the minimum and 1 at
        the maximum, in the logarithm where the table of ranges says so; its value if it has no
        range.
    halos
        Halos of the DMO catalogue in the windows; None where none are known.
    nearest
        Distances of some windows to the training; None where it was not searched.
    response_set
        Name of the set, if the simulation is of one that moves one parameter at a time.
    domain
        What the maps are of.
    """

    ensemble: xr.Dataset
    fields: tuple[Field, ...]
    pixel_mpch: float
    mean_dmo: float
    scales: xr.DataArray
    model_seed: NDArray[np.integer]
    forecasts: Mapping[str, xr.DataArray]
    config: "ValidationConfig"
    generator: np.random.Generator
    params: Mapping[str, float] = field(default_factory=dict)
    response_set: str | None = None
    halos: WindowHalos | None = None
    nearest: Nearest | None = None
    domain: Domain = MATTER
    _shared: dict[Callable[["Case"], Any], Any] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels of a window along y and x."""
        return self.ensemble.sizes["y"], self.ensemble.sizes["x"]

    @property
    def n_members(self) -> int:
        """Size of the ensemble."""
        return self.ensemble.sizes["member"]

    def rng(self) -> np.random.Generator:
        """Generator in the state of this case: one metric more changes no number of the others."""
        return copy.deepcopy(self.generator)

    def shared(self, compute: Callable[["Case"], T]) -> T:
        """``compute(self)``, computed once for all metrics that ask for it."""
        if compute not in self._shared:
            self._shared[compute] = compute(self)
        value: T = self._shared[compute]
        return value


@dataclass(frozen=True)
class Panel:
    """What the report draws of a variable without a figure of its own.

    Attributes
    ----------
    variable
        Name in ``metrics.nc``, with the dimension ``estimate``. With ``k`` it becomes lines with
        bands, one panel a field; else a table by field or channel.
    label
        Axis or column.
    caption
        What is shown and what good looks like.
    format
        Of the cells of a table, as in :func:`format`.
    """

    variable: str
    label: str
    caption: str = ""
    format: str = ".3g"


class Metric(ABC):
    """One kind of statistic; a subclass in a file of this folder is registered by being there.

    Attributes
    ----------
    name
        Unique among metrics.
    label
        Title of its part of the report; none where :meth:`title` says it with nouns of the domain.
    estimator
        What is estimated, and its bias for a finite ensemble.
    variables
        Names of all that :meth:`summarise` may return.
    panels
        What the report draws; None: every variable; empty: nothing, or it has figures of its own.
        Those that are said with nouns of the domain are in :meth:`panels_of`.
    format
        Of the values of its bars in the report.
    smallest_ensemble
        Fewer members are an error.
    place
        Metrics and their bars stand in increasing order; those that say nothing come last.
    of_response_sets
        Whether it is computed of simulations of response sets, and of no others. What
        :meth:`compute` keeps of these is concatenated along ``response``, not ``simulation``.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    estimator: ClassVar[str]
    variables: ClassVar[tuple[str, ...]]
    panels: ClassVar[tuple[Panel, ...] | None] = None
    format: ClassVar[str] = ".1%"
    smallest_ensemble: ClassVar[int] = 2
    place: ClassVar[float] = 1000.0
    of_response_sets: ClassVar[bool] = False

    @abstractmethod
    def compute(self, case: Case) -> xr.Dataset:
        """Linear quantities of one simulation, with units; empty where there is nothing to do."""

    @abstractmethod
    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Estimates from all simulations.

        Parameters
        ----------
        runs
            Means over runs, of all and without each of them.
        stats
            Results of :meth:`compute`, concatenated along ``simulation`` (or ``response``, see
            ``of_response_sets``); variables that no simulation gave are missing. Attributes are
            those of the domain.
        fields
            What the channels are.

        Returns
        -------
        Variables with the dimension ``estimate`` by name, of those in ``variables``.
        """

    def title(self, domain: Domain) -> str:
        """Title of its part of the report, with the nouns of the domain."""
        return self.label

    def panels_of(self, domain: Domain) -> tuple[Panel, ...] | None:
        """What the report draws, as ``panels``, with the nouns of the domain."""
        return self.panels

    def bars(
        self, metrics: xr.Dataset, config: "ValidationConfig", fields: Sequence[Field]
    ) -> list[Bar]:
        """Rows of the acceptance table; none unless a metric says so."""
        return []
