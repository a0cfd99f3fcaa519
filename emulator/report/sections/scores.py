"""CRPS of the model beside its baselines and the oracle."""

from typing import Any

import xarray as xr

from emulator.fields import Field
from emulator.metrics.channels import common_unit
from emulator.metrics.scores import FORECASTS
from emulator.report.figures import style
from emulator.report.figures.crps import plot_crps
from emulator.report.page import Section, Table, encode_figure
from emulator.report.text import join, number, with_interval


def scores_section(metrics: xr.Dataset, config: dict[str, Any]) -> Section:
    """CRPS of the model and of all baselines."""
    gain = config["bars"]["crps_gain"]
    section = Section(
        "crps",
        "Scores against baselines",
        "The continuous ranked probability score (CRPS) rewards an ensemble that is both sharp and "
        "right; for a forecast without scatter it is the mean absolute error. Smaller is better.",
        pictures=[
            encode_figure(
                plot_crps(metrics, gain),
                alt="CRPS of the model and the baselines relative to the best baseline",
                caption="CRPS over that of the channel's best baseline (bars are cut at 3). Good: "
                f"the model well below 1. Bar (dashed): {1 - gain:.2f}, {gain:.0%} better.",
            )
        ],
        tables=[_score_table(metrics)],
    )
    oracle = metrics["oracle_ratio"].sel(estimate="value")
    if not bool(oracle.notnull().any()):
        section.missing.append(
            "No re-drawn truth (set BE, at least two re-draws of a held-out run) was among the "
            "ensembles, so there is no oracle to compare with."
        )
    return section


def _score_table(metrics: xr.Dataset) -> Table:
    known = style.fields_of(metrics)
    channels = [known[str(name)] for name in metrics["channel"].values]
    names = [field.name for field in channels]
    rows = []
    for kind in metrics["forecast"].values:
        scores = metrics["crps"].sel(forecast=kind, estimate="value")
        cells = [number(float(scores.sel(channel=name))) for name in names]
        rows.append([FORECASTS[str(kind)], *cells])
    if bool(metrics["oracle_crps"].notnull().any()):
        oracle, ratio = metrics["oracle_crps"].sel(estimate="value"), metrics["oracle_ratio"]
        cells = [number(float(oracle.sel(channel=name))) for name in names]
        rows.append([FORECASTS["oracle"], *cells])
        cells = [with_interval(ratio.sel(channel=name).values) for name in names]
        rows.append(["model over oracle, same simulations", *cells])
    gain = metrics["crps_gain"]
    cells = [with_interval(gain.sel(channel=name).values, ".0%") for name in names]
    rows.append(["gain over the best baseline", *cells])
    return Table(["forecast", *labels_with_unit(channels)], rows, _caption(channels))


def labels_with_unit(channels: list[Field]) -> list[str]:
    """Headers of columns: labels, with units where they differ."""
    same = len({field.unit for field in channels}) == 1
    return [field.label if same else f"{field.label} [{field.unit}]" for field in channels]


def _caption(channels: list[Field]) -> str:
    kinds = []
    if any(field.share is not None for field in channels):
        kinds.append("the DMO map times a constant share")
    kinds.append("a linear filter of the DMO map fitted on the training split")
    means = [field.label for field in channels if field.share is None]
    if means:
        kinds.append(f"for {join(means)} also the mean of training")
    sparse = [field.label for field in channels if field.sparse]
    if sparse:
        kinds.append(
            f"for {join(sparse)} also an empty map and an ensemble of random training windows"
        )
    return (
        f"Mean CRPS [{common_unit(channels)}]. Baselines: {'; '.join(kinds)}. The oracle is the "
        "re-drawn truth itself: no forecast can do better on average."
    )
