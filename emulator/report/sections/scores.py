"""CRPS of the model beside its baselines and the oracle, from pixels to windows and power."""

from typing import Any

import xarray as xr

from emulator.fields import Field
from emulator.metrics.channels import common_unit
from emulator.metrics.forecasts import ORACLE_LABEL
from emulator.metrics.tolerances import unit_of_k
from emulator.report.figures import style
from emulator.report.figures.crps import places_of, plot_crps, plot_gains, scale_label
from emulator.report.numbers import numbers_of
from emulator.report.page import Section, Table, encode_figure
from emulator.report.text import join, k_range_of, number, with_interval

SCORED = (
    "Those with * are no ensembles: their score is the mean absolute error. The oracle is the "
    "re-drawn truth itself: no forecast can do better on average."
)
MARKS = "¹²³⁴⁵⁶⁷⁸⁹"
"""Stand for the names of baselines in cells."""

POWER = {
    "crps_power": "crps",
    "crps_power_gain": "crps_gain",
    "best_baseline_power": "best_baseline",
    "crps_power_over_mae": "crps_over_mae",
    "oracle_crps_power": "oracle_crps",
    "oracle_ratio_power": "oracle_ratio",
}
"""Variables of the power's scores, and what the same are called of maps."""


def scores_section(metrics: xr.Dataset, config: dict[str, Any]) -> Section:
    """CRPS of the model and of all baselines."""
    thresholds = _thresholds(metrics, config["bars"])
    gain = config["bars"]["crps_gain"]
    section = Section(
        "crps",
        "Scores against baselines",
        "The continuous ranked probability score (CRPS) rewards an ensemble that is both sharp and "
        "right; for a forecast without scatter it is the mean absolute error. Smaller is better. "
        "Gains count against the best baseline that is an ensemble; the others are shown for "
        "orientation.",
        pictures=[
            encode_figure(
                plot_crps(metrics, gain),
                alt="CRPS of the model and the baselines relative to the best ensemble among them",
                caption="CRPS of pixels over that of the channel's best probabilistic baseline "
                "(cut at 3; hatched: no ensemble). Good: the model well below 1. Bar (dashed): "
                f"{1 - gain:.2f}, {gain:.0%} better.",
                numbers=numbers_of(metrics.sel(scale=1), "crps"),
            ),
            encode_figure(
                plot_gains(metrics, thresholds),
                alt="Gain of the model over the best probabilistic baseline by scale and field",
                caption="Gain over the best probabilistic baseline on pixels, on means over "
                "squares and over whole windows, and on ln P of single windows. A table that draws "
                "pixels independently is right about pixels alone. Good: above the bars (dashed), "
                "near the re-drawn truth (open circles), which nobody can exceed. "
                "Lines are intervals of 68 %.",
                numbers=numbers_of(
                    metrics, *("crps_gain", "crps_power_gain", "oracle_gain", "oracle_gain_power")
                ),
            ),
        ],
        tables=[_gain_table(metrics), *_score_tables(metrics, config)],
    )
    oracle = metrics["oracle_ratio"].sel(estimate="value")
    if not bool(oracle.notnull().any()):
        domain = style.domain_of_file(metrics)
        of_set = "set BE, " if domain.is_matter else ""
        section.missing.append(
            f"No re-drawn truth ({of_set}at least two re-draws of a held-out {domain.nouns.run}) "
            "was among the ensembles, so there is no oracle to compare with."
        )
    sides = [int(side) for side in metrics["scale"].values]
    absent = [f"{side} x {side}" for side in (2, 4, 8) if side not in sides and side < sides[-1]]
    if absent:
        section.missing.append(
            f"Squares of {join(absent)} pixels do not tile windows of {sides[-1]} pixels."
        )
    return section


def _thresholds(metrics: xr.Dataset, bars: dict[str, Any]) -> dict[str, float]:
    """Bars by place: pixel, squares, window, power."""
    first, *squares, window, power = places_of(metrics)
    named = {first: "crps_gain", window: "crps_gain_windows", power: "crps_gain_power"}
    of_squares = dict.fromkeys(squares, "crps_gain_squares")
    order = [first, *squares, window, power]
    return {place: float(bars[(named | of_squares)[place]]) for place in order}


def _views(metrics: xr.Dataset) -> list[tuple[str, xr.Dataset]]:
    """Scores of every scale and of the power, under the names of the scores of maps."""
    of_maps = list(POWER.values())
    scales = [int(side) for side in metrics["scale"].values]
    views = [(scale_label(metrics, s), metrics[of_maps].sel(scale=s)) for s in scales]
    return [*views, ("P(k)", metrics[list(POWER)].rename(POWER))]


def _gain_table(metrics: xr.Dataset) -> Table:
    channels, views = _channels(metrics), _views(metrics)
    names = {place: view["best_baseline"].values.astype(str) for place, view in views}
    found = sorted({name for row in names.values() for name in row if name})
    label = {name: str(metrics["forecast_label"].sel(forecast=name).item()) for name in found}
    rows = []
    for place, view in views:
        cells = []
        for field, best in zip(channels, names[place], strict=True):
            gain = with_interval(view["crps_gain"].sel(channel=field.name).values, ".0%")
            # names in the cells are too wide
            cells.append(f"{gain} {MARKS[found.index(best)]}" if best else gain)
        rows.append([place, *cells])
    which = join([f"{label[name]} {mark}" for name, mark in zip(found, MARKS, strict=False)])
    caption = f"Gain in CRPS over the best probabilistic baseline: {which}."
    return Table(["scale", *(field.label for field in channels)], rows, caption)


def _score_tables(metrics: xr.Dataset, config: dict[str, Any]) -> list[Table]:
    channels, tables = _channels(metrics), []
    unit = common_unit(channels)
    for place, view in _views(metrics):
        if place == "P(k)":
            low, high = k_range_of(config)
            k = f"k = {low:g} to {high:g} {unit_of_k(metrics)}"
            what = f"Mean CRPS of ln P of single windows, {k}."
            header = [field.label for field in channels]
        else:
            of = {"pixel": "pixels", "window": "means over windows"}
            what = f"Mean CRPS of {of.get(place, f'means over {place} pixels')} [{unit}]."
            header = labels_with_unit(channels)
        caption = f"{what} {_baselines(metrics, channels)}" if place == "pixel" else what
        rows = _score_rows(view, metrics, [field.name for field in channels])
        folded = "" if place == "pixel" else what.split(" [")[0].rstrip(".")
        tables.append(Table(["forecast", *header], rows, caption, folded))
    return tables


def _score_rows(view: xr.Dataset, metrics: xr.Dataset, names: list[str]) -> list[list[str]]:
    rows = []
    for kind in metrics["forecast"].values:
        scores = view["crps"].sel(forecast=kind, estimate="value")
        cells = [number(float(scores.sel(channel=name))) for name in names]
        forecast = metrics.sel(forecast=kind)
        label = str(forecast["forecast_label"].item())
        rows.append([label if bool(forecast["probabilistic"]) else f"{label} *", *cells])
    if bool(view["oracle_crps"].notnull().any()):
        oracle, ratio = view["oracle_crps"].sel(estimate="value"), view["oracle_ratio"]
        cells = [number(float(oracle.sel(channel=name))) for name in names]
        rows.append([ORACLE_LABEL, *cells])
        cells = [with_interval(ratio.sel(channel=name).values) for name in names]
        rows.append(["model over oracle, same simulations", *cells])
    over = view["crps_over_mae"]
    cells = [with_interval(over.sel(channel=name).values) for name in names]
    return [*rows, ["model over the best of *", *cells]]


def labels_with_unit(channels: list[Field]) -> list[str]:
    """Headers of columns: labels, with units where they differ."""
    same = len({field.unit for field in channels}) == 1
    return [field.label if same else f"{field.label} [{field.unit}]" for field in channels]


def _channels(metrics: xr.Dataset) -> list[Field]:
    known = style.fields_of(metrics)
    return [known[str(name)] for name in metrics["channel"].values]


def _baselines(metrics: xr.Dataset, channels: list[Field]) -> str:
    if all(field.run == "array" for field in channels):
        return f"{_of_arrays(metrics)} {SCORED}"
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
    kinds.append(
        "a table of quantiles by the DMO pixel, its surroundings and the parameters, from which "
        "pixels are drawn independently"
    )
    if "regression" in metrics["forecast"]:
        kinds.append(
            "the network of the model as a regression, alone and with a Gaussian residual of the "
            "right spectrum"
        )
    return f"Baselines: {'; '.join(kinds)}. {SCORED}"


def _of_arrays(metrics: xr.Dataset) -> str:
    """What baselines of arrays are, those that are there."""
    kinds = {
        "condition": "the condition itself, of fields in its unit",
        "training_mean": "the mean of training, one number",
        "climatology": "rows of the training split drawn at random",
        "linear_gaussian": "least squares on the conditions, wave number by wave number, alone and "
        "with a Gaussian residual of the right spectrum",
        "regression": "the network of the model as a regression, alone and with a Gaussian "
        "residual",
    }
    found = [text for name, text in kinds.items() if name in metrics["forecast"]]
    return f"Baselines: {'; '.join(found)}."
