"""Painted boxes against the truth: by blending, by pasting halos, and by pasting the truth.

Powers are of masses over the truth's mean mass, so that mass that is missing shows as power.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from analysis.benchmarks.tables import Bar, Measurement
from emulator.data.maps import Maps
from emulator.metrics.power_spectrum import power_spectrum
from emulator.sampling.ensemble import Emulator
from emulator.sampling.painting.halos import HaloPainter, halos_of
from emulator.sampling.painting.paste import Halos, Taper, replace_halos

THRESHOLDS = (1.0e12, 1.0e13)
RANGES = ((0.0, 1.0), (1.0, 3.0), (3.0, 16.0))
LARGE = ((0.0, 0.5), (0.5, 1.0), (1.0, 3.0))


class PaintedBox(NamedTuple):
    """One box, painted in every way: fields ``(member, channel, y, x)``, the truth without."""

    dmo: np.ndarray
    truth: np.ndarray
    blend: np.ndarray
    tiled: np.ndarray
    pasted: dict[float, np.ndarray]
    """By the threshold of halos."""
    oracle: dict[float, np.ndarray]
    """Without members."""


def paste_box(
    model: Emulator, path: Path, maps: Maps, axis: str, truth: np.ndarray, n_members: int
) -> tuple[dict[float, np.ndarray], dict[float, np.ndarray]]:
    """Members by pasting, and the oracle, by the threshold of halos."""
    pasted, oracle = {}, {}
    for threshold in THRESHOLDS:
        painter = HaloPainter(model, path, projection=axis, mass_threshold=threshold)
        pasted[threshold] = np.stack([painter.draw(member) for member in range(n_members)])
        found = halos_of(path, axis)
        heavy = found.m200c >= threshold
        oracle[threshold] = replace_halos(
            truth, painter.background, Halos(*(part[heavy] for part in found)), Taper(),
            window=model.card.matter_grid.window, pixel_mpch=maps.pixel_mpch,
        )  # fmt: skip
    return pasted, oracle


def measure_modes(model: Emulator, boxes: list[PaintedBox]) -> Measurement:
    """Power of total matter, gas and stars over the truth's, and mass, of every way to a box."""
    pixel, names = model.card.matter_grid.pixel_mpch, ["total", *model.channels]
    ways = {
        "blend": [box.blend for box in boxes],
        "windows side by side": [box.tiled for box in boxes],
        **{f"halos > {t:.0e}": [box.pasted[t] for box in boxes] for t in THRESHOLDS},
        **{f"truth around halos > {t:.0e}": [box.oracle[t][None] for box in boxes]
           for t in THRESHOLDS},
    }  # fmt: skip
    rows = []
    for way, drawn in ways.items():
        ratio = _over_truth(drawn, [box.truth for box in boxes], pixel)
        mass = _mass_ratio(drawn, [box.truth for box in boxes])
        for i, name in enumerate(names):
            if name == "dm_hydro":
                continue
            cells = [f"{ratio[low, high][i]:.3f}" for low, high in RANGES]
            rows.append([way, name, *cells, f"{mass[i]:.3f}"])
    blend = _over_truth(ways["blend"], [box.truth for box in boxes], pixel)[RANGES[0]]
    return Measurement(
        "Blend, halos and truth around halos",
        "P(k) of masses over that of the truth, by range of k [h/Mpc], and mass over the truth's; "
        f"{len(boxes)} boxes, sums over boxes. Halos: windows around halos above a mass [Msun/h] "
        "pasted with a taper from 2.5 to 3 R200c upon cosmic shares of the DMO map; the oracle "
        "pastes the truth in the same way.",
        [
            Bar("P over truth at k < 1 by blending, total, from 1", abs(blend[0] - 1), 0, 0.01),
            Bar("P over truth at k < 1 by blending, gas, from 1",
                abs(blend[names.index("gas")] - 1), 0, 0.01),
        ],
        ["way", "field", "k < 1", "1 to 3", "> 3", "mass / truth"],
        rows,
    )  # fmt: skip


def measure_large_scales(model: Emulator, boxes: list[PaintedBox]) -> Measurement:
    r"""Why large scales are off: mean and scatter of members, and what windows hold.

    With M members the power of their mean is that of the conditional mean plus a share 1/M of the
    scatter; both are separated here. Of a calibrated model the cross power of mean and truth is
    that of the conditional mean, and members have the power of the truth.
    """
    pixel, window, rows, slopes = (
        model.card.matter_grid.pixel_mpch,
        model.card.matter_grid.window,
        [],
        [],
    )
    for i, name in enumerate(model.channels):
        members = [box.blend[:, i].astype(np.float64) for box in boxes]
        truths = [box.truth[i].astype(np.float64) for box in boxes]
        powers = _mean_and_scatter(members, truths, pixel)
        for low, high in LARGE:
            cells = [
                f"{_binned(powers[part], low, high):.3f}"
                for part in ("member", "mean", "cross", "scatter")
            ]
            rows.append([name, f"{low:g} to {high:g}", *cells])
        slopes.append([name, *_window_slopes(members, truths, [box.dmo for box in boxes], window)])
    table = [[*row, *next(slope[1:] for slope in slopes if slope[0] == row[0])] for row in rows]
    return Measurement(
        "Large scales",
        "P(k) of overdensities over that of the truth, by range of k [h/Mpc]: of members, of "
        "their conditional mean (corrected for the number of members), the cross power of mean and "
        f"truth, and the scatter of members. Beside it, for windows of {window} pixels: slope "
        "of mass (over the truth's mean) on that of the DMO map, painted and truth, and mass over "
        "the truth's in the emptier and the denser half of the windows. "
        f"{len(boxes)} boxes, {len(boxes[0].blend)} members.",
        [],
        ["field", "k", "member", "mean", "cross", "scatter", "slope, painted", "slope, truth",
         "mass / truth, empty half", "dense half"],
        table,
    )  # fmt: skip


def _with_total(fields: np.ndarray) -> np.ndarray:
    own = fields.astype(np.float64)
    return np.concatenate([own.sum(-3, keepdims=True), own], axis=-3)


def _over_truth(
    drawn: list[np.ndarray], truths: list[np.ndarray], pixel: float
) -> dict[tuple[float, float], np.ndarray]:
    """Power of total and fields over the truth's, by range of k: sums over boxes and modes."""
    ones, others = [], []
    for members, truth in zip(drawn, truths, strict=True):
        whole = _with_total(truth)
        mean = whole.mean((-2, -1))[:, None, None]
        ones.append(_power(_with_total(members) / mean, pixel).mean("row"))
        others.append(_power((whole / mean)[None], pixel).mean("row"))
    one, other = (xr.concat(part, "box").sum("box") for part in (ones, others))
    return {
        (low, high): np.array(
            [
                _binned(one.isel(channel=i), low, high) / _binned(other.isel(channel=i), low, high)
                for i in range(one.sizes["channel"])
            ]
        )
        for low, high in RANGES
    }


def _mass_ratio(drawn: list[np.ndarray], truths: list[np.ndarray]) -> np.ndarray:
    own = sum(_with_total(members).mean(0).sum((-2, -1)) for members in drawn)
    ratio: np.ndarray = own / sum(_with_total(truth).sum((-2, -1)) for truth in truths)
    return ratio


def _power(fields: np.ndarray, pixel: float) -> xr.DataArray:
    array = xr.DataArray(fields, dims=("row", "channel", "y", "x"))
    return power_spectrum(array, pixel_mpch=pixel)


def _binned(power: xr.DataArray, low: float, high: float) -> float:
    """Mean over modes of a range, of which a shell has about k."""
    inside = power.where((power.k >= low) & (power.k < high), drop=True)
    return float((inside * inside.k).sum() / inside.k.sum())


def _mean_and_scatter(
    members: list[np.ndarray], truths: list[np.ndarray], pixel: float
) -> dict[str, xr.DataArray]:
    """Powers over that of the truth, ``(k)``, sums over boxes."""
    parts: dict[str, list[xr.DataArray]] = {"member": [], "mean": [], "cross": [], "truth": []}
    n_members = len(members[0])
    for drawn, truth in zip(members, truths, strict=True):
        delta = drawn / drawn.mean((-2, -1), keepdims=True)
        true = truth / truth.mean()
        mean = delta.mean(0)
        # the cross power of two fields from those of their sum and difference
        rows = [mean, true, mean + true, mean - true]
        of_mean, of_truth, plus, minus = _power(np.stack(rows)[:, None], pixel).isel(channel=0)
        of_members = _power(delta[:, None], pixel).isel(channel=0).mean("row")
        parts["member"].append(of_members)
        parts["mean"].append((n_members * of_mean - of_members) / (n_members - 1))
        parts["cross"].append((plus - minus) / 4)
        parts["truth"].append(of_truth)
    sums = {name: xr.concat(each, "box").sum("box") for name, each in parts.items()}
    sums["scatter"] = sums["member"] - sums["mean"]
    return {name: each / sums["truth"] for name, each in sums.items()}


def _window_slopes(
    members: list[np.ndarray], truths: list[np.ndarray], dmo: list[np.ndarray], window: int
) -> list[str]:
    """Slopes on the DMO mass of windows, painted and truth, and mass of two halves over truth's."""
    matter = np.concatenate([_windows(box / box.mean(), window) for box in dmo])
    painted, true = (
        np.concatenate(
            [_windows(one / truth.mean(), window) for one, truth in zip(a, b, strict=True)]
        )
        for a, b in (([each.mean(0) for each in members], truths), (truths, truths))
    )
    slopes = [np.polyfit(matter, values, 1)[0] for values in (painted, true)]
    empty = matter < np.median(matter)
    halves = [painted[half].sum() / true[half].sum() for half in (empty, ~empty)]
    return [f"{value:.3f}" for value in (*slopes, *halves)]


def _windows(field: np.ndarray, window: int) -> np.ndarray:
    side = len(field) // window
    means: np.ndarray = field.reshape(side, window, side, window).mean((1, 3)).ravel()
    return means
