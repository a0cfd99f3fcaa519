r"""Total variance of a field among pixels of like DMO density, members over truth.

The pixels of a simulation's windows are sorted into classes by their rank in DMO mass. In class
:math:`b` with the share :math:`n_b = \langle 1_b \rangle` of all pixels

.. math:: V_b = \frac{\langle x^2 1_b \rangle}{n_b}
          - \Big(\frac{\langle x 1_b \rangle}{n_b}\Big)^2

over pixels, windows, runs and (of members) over members: the law of total variance, so that it
counts what the members of a window share and what they do not. A mean or a blurred field has too
little of it at any density, whatever its power on large scales. :math:`x` is the square root of the
values (with their sign), in units of ``Case.scales``: the variance of the values themselves is that
of one or two halos in the densest class, and two to ten times as uncertain.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from emulator.domain import Domain, domain_of, space_in
from emulator.fields import Field
from emulator.metrics.base import Bar, Case, Metric, Panel
from emulator.metrics.jackknife import Jackknife
from emulator.units import Unit

if TYPE_CHECKING:
    from emulator.config import ValidationConfig

EDGES = (0.0, 0.5, 0.9, 0.99, 1.0)
"""Ends of the classes, shares of the pixels in increasing order of DMO mass."""

CLASSES = ("lower half", "50 to 90 %", "90 to 99 %", "densest 1 %")
"""What they are called; of arrays the last one is the highest."""

WEIGHTY = 0.01
"""Least share of the truth's variance for a class to be judged: stars have next to none outside of
halos, and a ratio of two numbers near zero says nothing."""

KINDS = {"truth": "the truth", "members": "the members"}


class Variance(Metric):
    """``V_members / V_truth`` of every field in classes of DMO density."""

    name = "variance"
    estimator = "variance of square roots over pixels and members; ratio, any ensemble size"
    variables = ("variance_ratio", "variance_share")
    format = ".2f"
    place = 35.0
    of_volumes = True

    def title(self, domain: Domain) -> str:
        """By what pixels are sorted."""
        return f"Total variance by {domain.nouns.condition_density}"

    def panels_of(self, domain: Domain) -> tuple[Panel, ...]:
        """Ratio and share of every class."""
        return (
            Panel(
                "variance_ratio",
                "variance of the square root, members over truth",
                f"Pixels are sorted by {domain.nouns.condition_mass}. Good: 1 in every class; less "
                "is a field too smooth or too sure, more is one too noisy.",
                ".2f",
            ),
            Panel(
                "variance_share",
                "share of the variance",
                "Share of each class in the truth's variance within classes; those with less than "
                f"{WEIGHTY:.0%} have no bar.",
                ".1%",
            ),
        )

    def compute(self, case: Case) -> xr.Dataset:
        """Moments of the root ``(channel, dmo_density)``."""
        classes = density_classes(case.ensemble["condition"].values)
        names = [*CLASSES[:-1], f"{case.domain.nouns.densest} 1 %"]
        stats = {"pixels_in_class": _shares(classes, names)}
        for kind, name in (("truth", "truth"), ("members", "fields")):
            maps = _signed_root(case.ensemble[name] / case.scales.astype(np.float64))
            if "member" in maps.dims:
                first, second = maps.mean("member"), (maps**2).mean("member")
            else:
                first, second = maps, maps**2
            stats[f"first_moment_{kind}"] = _by_class(first, classes, names)
            stats[f"second_moment_{kind}"] = _by_class(second, classes, names)
        return xr.Dataset(stats)

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Ratio, and the share of each class in the truth's sum ``(estimate, channel, class)``."""
        share = runs.mean(stats["pixels_in_class"])
        variance = {
            kind: runs.mean(stats[f"second_moment_{kind}"]) / share
            - (runs.mean(stats[f"first_moment_{kind}"]) / share) ** 2
            for kind in KINDS
        }
        truth = variance["truth"]
        inside = share * truth
        ratio = variance["members"] / truth.where(truth > 0)
        within = (inside / inside.sum("dmo_density")).transpose(*ratio.dims)
        meaning = "variance of the square root, members over truth"
        return {
            "variance_ratio": runs.estimate(ratio, meaning),
            "variance_share": runs.estimate(within, "share of the truth's variance within classes"),
        }

    def bars(
        self, metrics: xr.Dataset, config: "ValidationConfig", fields: Sequence[Field]
    ) -> list[Bar]:
        """The worst class of every channel, of those that hold enough of its variance."""
        return [_bar(metrics.sel(channel=field.name), field, config) for field in fields]


def density_classes(condition: np.ndarray) -> np.ndarray:
    """Class of every pixel by its rank in DMO mass, of all values ``(sample, y, x)``."""
    order = np.argsort(condition, axis=None, kind="stable")
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(order.size)
    edges = np.round(np.asarray(EDGES[1:-1]) * order.size)
    classes: np.ndarray = np.searchsorted(edges, rank, side="right").reshape(condition.shape)
    return classes


def _signed_root(values: xr.DataArray) -> xr.DataArray:
    return values.copy(data=np.copysign(np.sqrt(np.abs(values.values)), values.values))


def _shares(classes: np.ndarray, names: list[str]) -> xr.DataArray:
    counts = np.bincount(classes.ravel(), minlength=len(names))
    return xr.DataArray(
        counts / classes.size,
        dims="dmo_density",
        coords={"dmo_density": names},
        attrs={"units": str(Unit.DIMENSIONLESS), "long_name": "share of the pixels"},
    )


def _by_class(maps: xr.DataArray, classes: np.ndarray, names: list[str]) -> xr.DataArray:
    """Mean over all pixels of what lies in each class: ``<x 1_b>``."""
    flat = maps.transpose("channel", "sample", *space_in(maps.dims)).values
    flat = flat.reshape(maps.sizes["channel"], -1)
    sums = [
        np.bincount(classes.ravel(), weights=row, minlength=len(names)) / row.size for row in flat
    ]
    return xr.DataArray(
        np.asarray(sums),
        dims=("channel", "dmo_density"),
        coords={"channel": maps["channel"], "dmo_density": names},
        attrs={"units": str(Unit.DIMENSIONLESS), "long_name": "mean of the pixels of a class"},
    )


def _bar(metrics: xr.Dataset, field: Field, config: "ValidationConfig") -> Bar:
    low, high = config.bars.variance
    classes, nouns = _classes_of(metrics), domain_of(metrics.attrs, "metrics").nouns
    ratio = metrics["variance_ratio"].transpose("estimate", classes)
    share = metrics["variance_share"].sel(estimate="value").values
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.abs(np.log(ratio.sel(estimate="value").values))
    judged = ~(share < WEIGHTY)
    error = np.where(judged, np.where(np.isnan(error), np.inf, error), -1.0)
    worst = int(np.argmax(error))
    value, *ends = (float(number) for number in ratio.values[:, worst])
    name = str(metrics[classes].values[worst])
    return Bar(
        name=f"variance, {field.label}",
        field=field.name,
        statistic="variance_ratio",
        value=value,
        comparison="in",
        threshold=(low, high),
        text=(
            f"The variance of the root of {field.label} among pixels of like "
            f"{nouns.condition_density} should be {low:g} to {high:g} times that of the truth; "
            f"the worst class ({name}) has {value:.2f}."
        ),
        interval=(ends[0], ends[1]),
        facts={classes: name},
    )


def _classes_of(metrics: xr.Dataset) -> str:
    """Dimension of the classes: of arrays it is called otherwise."""
    dims = metrics["variance_ratio"].dims
    return next(str(dim) for dim in dims if dim not in ("estimate", "channel"))
