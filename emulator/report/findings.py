"""What a run shows, in sentences made from its numbers with their errors.

A deviation counts as such beyond two errors (half the interval of 68 %, times two); what has no
interval is quoted and not judged. Numbers that the metrics lack are left out, never guessed.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from emulator.fields import Field
from emulator.metrics.tolerances import unit_of_k
from emulator.nouns import Nouns, capital
from emulator.report.figures import style
from emulator.report.text import join, k_range_of, with_error

BEYOND = 2.0
"""Errors from which on a deviation is called one."""

RARE = 0.01
"""Share of relabelled draws below which the truth is no draw like the members."""


def find(metrics: xr.Dataset, config: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Titles with their sentences: what bars ask about, what they do not, and blind spots.

    Parameters
    ----------
    metrics
        Of ``metrics.nc``.
    config
        Section ``validation`` that it was judged by.
    """
    fields, nouns = style.fields_of(metrics), style.domain_of_file(metrics).nouns
    found = {
        capital(nouns.amount): _mass(metrics, fields, nouns),
        "Power": _power(metrics, fields, config),
        "Bispectrum": _bispectrum(metrics, fields),
        "Halos": _halos(metrics, fields),
        "Calibration": _calibration(metrics, fields),
        "Truth against members": _two_sample(metrics, fields),
        "Skill": _skill(metrics, fields),
        "Responses": _responses(metrics, fields),
        "What no bar sees": _unseen(metrics, fields, config, nouns),
    }
    return [(title, said) for title, said in found.items() if said]


def _mass(metrics: xr.Dataset, fields: Mapping[str, Field], nouns: Nouns) -> list[str]:
    if "mass_ratio" not in metrics:
        return []
    ratios = metrics["mass_ratio"]
    said, off = _departures({str(n): ratios.sel(field=n) for n in ratios["field"].values}, fields)
    return [f"{capital(nouns.total)} of the members against the truth: {said}.", off]


def _power(
    metrics: xr.Dataset, fields: Mapping[str, Field], config: Mapping[str, Any]
) -> list[str]:
    if "power_ratio_summed" not in metrics:
        return []
    ratio = metrics["power_ratio_summed"]
    low, high = k_range_of(config)
    inside = ratio.sel(k=(ratio["k"] >= low) & (ratio["k"] <= high))
    worst = _worst(inside, "k")
    if not worst:
        return []
    said, off = _departures(worst, fields, _at_k)
    return [
        f"Power of the members against the truth, summed over windows, where it is furthest off "
        f"for k = {low:g} to {high:g} {unit_of_k(metrics)}: {said}.",
        off,
    ]


def _bispectrum(metrics: xr.Dataset, fields: Mapping[str, Field]) -> list[str]:
    """Of triangles where the truth's own is known not to be zero."""
    if "bispectrum_ratio" not in metrics:
        return []
    worst = _worst(metrics["bispectrum_ratio"], "triangle", "triangle_k")
    if not worst:
        return []
    said, off = _departures(worst, fields, _at_triangle)
    unit = metrics["triangle_k"].attrs["units"]
    return [
        "Bispectrum of the members against the truth, where it is furthest off, with k in "
        f"{unit}: {said}.",
        off,
    ]


def _halos(metrics: xr.Dataset, fields: Mapping[str, Field]) -> list[str]:
    """Masses around halos of the condition, and their scatter at fixed halo mass."""
    found = []
    if "halo_mass_ratio" in metrics:
        ratio = metrics["halo_mass_ratio"]
        # a bin of few halos is in one run, has no error, and is the furthest off by chance
        known = ratio.where(ratio.sel(estimate="low", drop=True).notnull())
        worst = _worst(known, "halo_mass") or _worst(ratio, "halo_mass")
        if worst:
            said, off = _departures(worst, fields, _in_bin)
            found += [
                "Mass within R200c of halos, members against the truth, in the bin of halo mass "
                f"where it is furthest off: {said}.",
                off,
            ]
    if "halo_scatter_ratio" in metrics:
        ratio = metrics["halo_scatter_ratio"].sel(scatter_mass="all")
        values = {str(n): ratio.sel(scatter_of=n) for n in ratio["scatter_of"].values}
        said, off = _departures(values, fields)
        if any(math.isfinite(_value(value)[0]) for value in values.values()):
            found += [
                f"Scatter of these masses at fixed halo mass, members against the truth: {said}.",
                off,
            ]
    return found


def _two_sample(metrics: xr.Dataset, fields: Mapping[str, Field]) -> list[str]:
    """Whether a classifier, and counts in cells, tell the truth from members."""
    found = []
    accuracy = _of_fields(metrics, "classifier_accuracy", fields)
    if accuracy:
        said = [f"{label} {100 * _value(v)[0]:.0f} %" for label, v in accuracy.items()]
        told = [label for label, v in accuracy.items() if _sigmas(v, 0.5) > BEYOND]
        found.append(
            "How often a classifier of window summaries is right about which is the truth and "
            f"which a member: {join(said)}; guessing is in 50 %. Better than guessing, beyond two "
            f"errors: {join(told) if told else 'none'}."
        )
    reached = _of_fields(metrics, "voronoi_p", fields)
    if reached:
        said = [f"{label} {_value(v)[0]:.3g}" for label, v in reached.items()]
        unlike = [label for label, v in reached.items() if _value(v)[0] < RARE]
        found.append(
            "Share of relabelled draws that differ from the others as much as the truth does: "
            f"{join(said)}. Below {RARE:g}, where the truth is no draw like the members: "
            f"{join(unlike) if unlike else 'none'}."
        )
    return found


def _of_fields(
    metrics: xr.Dataset, name: str, fields: Mapping[str, Field]
) -> dict[str, xr.DataArray]:
    """Estimates by label of the channels that have a number, and that of all together."""
    if name not in metrics:
        return {}
    values = {fields[n].label: metrics[name].sel(channel=n) for n in metrics["channel"].values}
    if len(values) > 1 and f"{name}_joint" in metrics:
        values["all together"] = metrics[f"{name}_joint"]
    return {label: value for label, value in values.items() if math.isfinite(_value(value)[0])}


def _calibration(metrics: xr.Dataset, fields: Mapping[str, Field]) -> list[str]:
    found = []
    if "spread_skill" in metrics:
        values = {str(n): metrics["spread_skill"].sel(channel=n) for n in metrics["channel"].values}
        quoted = [f"{fields[n].label} {with_error(*_value(v))}" for n, v in values.items()]
        wide = [fields[n].label for n, v in values.items() if _sigmas(v) > BEYOND]
        narrow = [fields[n].label for n, v in values.items() if _sigmas(v) < -BEYOND]
        found.append(f"Scatter of the members over their error: {join(quoted)}; 1 is calibrated.")
        if wide or narrow:
            parts = [f"too wide for {join(wide)}"] if wide else []
            parts += [f"too narrow for {join(narrow)}"] if narrow else []
            found.append(f"Beyond two errors the ensemble is {' and '.join(parts)}.")
    return found


def _skill(metrics: xr.Dataset, fields: Mapping[str, Field]) -> list[str]:
    if "crps_gain" not in metrics:
        return []
    gains, found = metrics["crps_gain"], []
    sides = [int(side) for side in metrics["scale"].values]
    for side, what in ((sides[0], "single pixels"), (sides[-1], "means over whole windows")):
        rows = {str(n): gains.sel(channel=n, scale=side) for n in metrics["channel"].values}
        rows = {n: v for n, v in rows.items() if math.isfinite(_value(v)[0])}
        if not rows:
            continue
        said = [f"{fields[n].label} {_percent(*_value(v))}" for n, v in rows.items()]
        better = [fields[n].label for n, v in rows.items() if _sigmas(v, 0.0) > BEYOND]
        sure = f"beyond two errors for {join(better)}" if better else "beyond two errors for none"
        found.append(
            f"Gain in CRPS over the best probabilistic baseline, {what}: {join(said)}; {sure}."
        )
    return found


def _responses(metrics: xr.Dataset, fields: Mapping[str, Field]) -> list[str]:
    if "response_size" not in metrics:
        return []
    said, slopes = [], metrics["response_slope"]
    for name in metrics["field"].values.astype(str):
        size, low, high = (float(v) for v in metrics["response_size"].sel(field=name).values)
        if not math.isfinite(size):
            continue
        signs = float(metrics["response_sign"].sel(field=name, estimate="value"))
        values = slopes.sel(field=name, estimate="value").dropna("parameter")
        worst = ""
        if values.size:
            place = int(np.abs(np.log(np.maximum(values.values, 1e-3))).argmax())
            who, slope = values["parameter"].values[place], values.values[place]
            worst = f"; the worst, to {who}, is {slope:.2f} times the truth's"
        interval = f" ({low:.0%} to {high:.0%})" if math.isfinite(low) else ""
        label = fields[name].label
        said.append(
            f"Responses of {label}: {signs:.0%} of the signs are right, sizes off by "
            f"{size:.0%}{interval}{worst}."
        )
    if not said:
        return []
    return ["Sizes are the median over the parameters that the truth responds to.", *said]


def _unseen(
    metrics: xr.Dataset, fields: Mapping[str, Field], config: Mapping[str, Any], nouns: Nouns
) -> list[str]:
    """What the bars do not ask, with the numbers where there are some."""
    found = []
    n_runs = int(metrics.attrs["n_runs"])
    if n_runs == 1:
        found.append(f"All held-out simulations are one {nouns.run}, so no number has an error.")
    else:
        relative = 1.0 / math.sqrt(2.0 * (n_runs - 1))
        found.append(
            f"Errors come from {n_runs} {nouns.run}s and are themselves known to "
            f"{relative:.0%}: a value near its bar may lie on either side of it."
        )
    found += _mass_ranks(metrics, fields, nouns)
    if "power_ratio_summed" in metrics:
        ratio, (_, high) = metrics["power_ratio_summed"], k_range_of(config)
        worst = _worst(ratio.sel(k=ratio["k"] > high), "k")
        if worst:
            said, _ = _departures(worst, fields, _at_k)
            unit = unit_of_k(metrics)
            found.append(f"Above k = {high:g} {unit} power is not judged; furthest off: {said}.")
    if "model_share" not in metrics:
        found.append("One model drew: what another seed of training would change is not in it.")
    if "response_size" in metrics:
        found.append("Responses are of one box: their errors do not hold the scatter of boxes.")
    return found


def _mass_ranks(metrics: xr.Dataset, fields: Mapping[str, Field], nouns: Nouns) -> list[str]:
    """Shape of the rank histograms of the mass of a window, which no bar asks about."""
    if "rank_share_mass" not in metrics:
        return []
    shapes = {}
    for name in metrics["channel"].values.astype(str):
        shares = metrics["rank_share_mass"].sel(channel=name, estimate="value").values
        shapes[fields[name].label] = rank_width(shares)
    shapes = {label: width for label, width in shapes.items() if math.isfinite(width)}
    if not shapes:
        return []
    quoted = [f"{label} {width:.2f}" for label, width in shapes.items()]
    domes = [label for label, width in shapes.items() if width < 0.85]
    bowls = [label for label, width in shapes.items() if width > 1.15]
    shape = [f"a dome, too wide an ensemble, for {join(domes)}"] if domes else []
    shape += [f"a U or a slope, too narrow or biased, for {join(bowls)}"] if bowls else []
    said = f": {'; '.join(shape)}" if shape else ""
    return [
        f"Ranks of the {nouns.amount} of a window: their mean squared distance from the middle "
        f"over that of flat ranks is {join(quoted)}{said}. The bars of calibration ask about "
        "pixels and squares."
    ]


def rank_width(shares: np.ndarray) -> float:
    r"""Mean squared distance of the rank from the middle, over that of flat ranks.

    .. math:: \sum_r p_r (r - M/2)^2 \,/\, \frac{1}{M+1} \sum_r (r - M/2)^2

    Parameters
    ----------
    shares
        ``(M + 1,)`` shares of the ranks; they need not add up to 1.
    """
    distance = (np.arange(shares.size) - (shares.size - 1) / 2) ** 2
    return float(shares @ distance / shares.sum() / distance.mean())


def _departures(
    ratios: Mapping[str, xr.DataArray],
    fields: Mapping[str, Field],
    at: Callable[[xr.DataArray], str] = lambda _: "",
) -> tuple[str, str]:
    """Ratios as signed per cent, and who is off beyond two errors."""
    said, off = [], []
    for name, values in ratios.items():
        value, error = _value(values)
        if not math.isfinite(value):
            continue
        said.append(f"{fields[name].label} {_percent(value - 1.0, error)}{at(values)}")
        if abs(_sigmas(values)) > BEYOND:
            off.append(fields[name].label)
    if not said:
        return "not defined", "Nothing is judged."
    if not off:
        return join(said), "None of these is off beyond two errors."
    return join(said), f"Off beyond two errors: {join(off)}."


def _at_k(values: xr.DataArray) -> str:
    return f" (k = {float(values['k']):.3g})"


def _at_triangle(values: xr.DataArray) -> str:
    return f" ({values['triangle'].item()}, k = {float(values['triangle_k']):.3g})"


def _in_bin(values: xr.DataArray) -> str:
    return f" (log M200c {values['halo_mass'].item()})"


def _worst(ratio: xr.DataArray, *over: str) -> dict[str, xr.DataArray]:
    """By field the estimate where its ratio is furthest from 1; without those that have none."""
    found = {}
    for name in ratio["field"].values.astype(str):
        here = ratio.sel(field=name).stack(place=over)
        distance = np.abs(here.sel(estimate="value").values - 1.0)
        if np.isfinite(distance).any():
            found[name] = here.isel(place=int(np.nanargmax(distance)))
    return found


def _value(values: xr.DataArray) -> tuple[float, float]:
    """Value and half of its interval, NaN without one."""
    value, low, high = (float(values.sel(estimate=name)) for name in ("value", "low", "high"))
    return value, (high - low) / 2


def _sigmas(values: xr.DataArray, truth: float = 1.0) -> float:
    """Distance from the truth in errors; 0 without an error, infinite where all runs agree."""
    value, error = _value(values)
    if not math.isfinite(error) or value == truth:
        return 0.0
    return (value - truth) / error if error > 0 else math.copysign(math.inf, value - truth)


def _percent(value: float, error: float) -> str:
    return f"{with_error(value, error, scale=100.0, sign=True)} %"
