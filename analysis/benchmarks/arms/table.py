"""The page of the arms: what their judge said, arm by arm, over seeds."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import xarray as xr

from analysis.benchmarks.tables import Measurement, to_markdown
from emulator.io import DataError, EmulatorError, write_json, write_text
from emulator.metrics.forecasts import MODEL, ORACLE_LABEL
from emulator.report.compare.bars import n_met
from emulator.report.compare.inputs import Trained, read_trained
from emulator.report.compare.same_truths import RTOL
from emulator.report.figures.style import fields_of
from emulator.report.text import UNKNOWN

Values = dict[str, float]
"""By the heading of a column; NaN: not known."""

LEAD = """# Arms: choices of the demo at equal cost, judged as the demo is

Written by `make bench-arms`: every arm is the demo with the keys changed that
[arms.yaml](arms/arms.yaml) names, trained with one thread, drawn from, and validated against the
same baselines. `python -m analysis.benchmarks.arms --table-only` writes the page again from what
has run."""


def write_page(
    runs: Mapping[str, Mapping[int, Path]], whys: Mapping[str, str], cost: str, page: Path
) -> None:
    """Write the page and the same as JSON beside it.

    Parameters
    ----------
    runs
        Folders of results that are finished, by arm and seed.
    whys
        A sentence of every arm, those that have not run among them.
    cost
        What every arm costs, in words.
    page
        Of Markdown; numbers in full go into the ``.json`` of the same name.

    Raises
    ------
    EmulatorError
        Nothing has run.
    DataError
        Folders that were not judged by the same truths and bars.
    """
    sections = {"arms": [each.to_json() for each in measurements(runs, whys, cost)]}
    write_json(page.with_suffix(".json"), sections, sealed=False)
    write_text(page, to_markdown(sections, LEAD))


def measurements(
    runs: Mapping[str, Mapping[int, Path]], whys: Mapping[str, str], cost: str
) -> list[Measurement]:
    """Tables of the page, see :func:`write_page`."""
    folders = [folder for seeds in runs.values() for folder in seeds.values()]
    if not folders:
        raise EmulatorError("arms: expected an arm that is finished, got none: run one first")
    # each is read beside the first, and so is the first
    trained = iter(read_trained([folders[0], *folders])[1:])
    models = {arm: {seed: next(trained) for seed in seeds} for arm, seeds in runs.items()}
    first = next(iter(next(iter(models.values())).values())).metrics
    _require_same_baselines([model for seeds in models.values() for model in seeds.values()])
    missing = [arm for arm in whys if not runs.get(arm)]
    note = (
        f"{cost} Cells are means over seeds, after ± half the range of several: differences that "
        "are not larger are none. The judge's bars are those of `acceptance.json`; times are of "
        "one machine, that of a member is of the whole stage `sample`, its start included, over "
        "all members of all windows."
    )
    if missing:
        note += f" Not run: {', '.join(missing)}."
    rows = [[arm, why] for arm, why in whys.items()]
    return [
        Measurement("Why", "What each arm is tried for.", [], ["arm", "why"], rows),
        _table("Verdict and cost", note, models, verdict, ".3g"),
        _table(
            "Gain of CRPS",
            "CRPS below that of the best probabilistic baseline, in percent, more is better: of "
            "pixels, of means over squares at the worst side, of means over windows, and of ln P. "
            f"Nobody can exceed the {ORACLE_LABEL}, the last row.",
            models,
            lambda model: gains(model.metrics),
            "+.1f",
            {ORACLE_LABEL: gains(first, of_oracle=True)},
        ),
        _table(
            "Calibration, mass and responses",
            "Spread over skill and total mass over that of the truth: 1 is right. Error of the "
            "size of responses, the median over parameters of |slope - 1|: 0 is right.",
            models,
            lambda model: calibration(model.metrics),
            ".2f",
        ),
    ]


def _require_same_baselines(models: Sequence[Trained]) -> None:
    """Gains are of one scale only if they count against the same scores."""
    first, *others = models
    for name in ("score", "score_power"):
        is_baseline = first.metrics["forecast"] != MODEL
        expected = first.metrics[name].sel(forecast=is_baseline)
        for model in others:
            got = model.metrics[name].reindex_like(expected)
            if not np.allclose(got, expected, rtol=RTOL, atol=0.0, equal_nan=True):
                raise DataError(
                    f"{model.folder / 'metrics.nc'}:{name}",
                    f"baselines as {first.folder} has",
                    "others",
                    "Both must be validated with the same regression: remove one and run it again.",
                )


def verdict(model: Trained) -> Values:
    """Bars met, and what the model cost."""
    cost = model.cost
    return {
        f"bars met, of {len(model.bars)}": float(n_met(model)),
        "training [s]": _known(cost.train_seconds),
        "passes a member": _known(cost.evaluations),
        "time a member [ms]": _known(cost.member_ms),
    }


def gains(metrics: xr.Dataset, *, of_oracle: bool = False) -> Values:
    """Gains over the best probabilistic baseline [%] by place and field.

    The worst square is that of the smallest gain between pixel and window, NaN if one is.
    """
    names = ("oracle_gain", "oracle_gain_power") if of_oracle else ("crps_gain", "crps_power_gain")
    of_squares, of_power = (100 * metrics[name].sel(estimate="value") for name in names)
    places = {
        "pixel": of_squares.isel(scale=0),
        "square": of_squares.isel(scale=slice(1, -1)).min("scale", skipna=False),
        "window": of_squares.isel(scale=-1),
        "power": of_power,
    }
    return {
        f"{place}, {label}": value
        for place, values in places.items()
        for label, value in _by_label(metrics, values, "channel")
    }


def calibration(metrics: xr.Dataset) -> Values:
    """Spread-skill and mass by channel, error of responses by field where there are responses."""
    channels = metrics["channel"].values
    parts = {
        "spread": ("channel", metrics["spread_skill"]),
        "mass": ("field", metrics["mass_ratio"].sel(field=channels)),
    }
    if "response_size" in metrics:
        parts["response"] = ("field", metrics["response_size"])
    return {
        f"{what}, {label}": value
        for what, (dim, values) in parts.items()
        for label, value in _by_label(metrics, values.sel(estimate="value"), dim)
    }


def _by_label(metrics: xr.Dataset, values: xr.DataArray, dim: str) -> Iterator[tuple[str, float]]:
    fields = fields_of(metrics)
    for name in values[dim].values:
        yield fields[str(name)].label, float(values.sel({dim: name}))


def _table(
    title: str,
    note: str,
    models: Mapping[str, Mapping[int, Trained]],
    values_of: Callable[[Trained], Values],
    form: str,
    last: Mapping[str, Values] | None = None,
) -> Measurement:
    """One row an arm; numbers of every seed stay as figures."""
    found = {
        arm: {str(seed): values_of(model) for seed, model in seeds.items()}
        for arm, seeds in models.items()
    }
    rows = {arm: (len(seeds), list(seeds.values())) for arm, seeds in found.items()}
    rows |= {name: (0, [values]) for name, values in (last or {}).items()}
    columns = list(next(iter(rows.values()))[1][0])
    cells = [
        [
            name,
            str(n_seeds) if n_seeds else "",
            *(cell([each[column] for each in values], form) for column in columns),
        ]
        for name, (n_seeds, values) in rows.items()
    ]
    figures = {**found, **{name: {"": values} for name, values in (last or {}).items()}}
    return Measurement(title, note, [], ["arm", "seeds", *columns], cells, _plain(figures))


def cell(values: Sequence[float], form: str) -> str:
    """Mean over seeds and half their range; a dash where one of them is not known."""
    if not all(map(math.isfinite, values)):
        return UNKNOWN
    mean = format(fmean(values), form)
    if max(values) == min(values):
        return mean
    return f"{mean} ± {format((max(values) - min(values)) / 2, form.lstrip('+'))}"


def _plain(figures: Mapping[str, Mapping[str, Values]]) -> dict[str, dict[str, Any]]:
    """Without NaN, which JSON has not."""
    return {
        arm: {
            seed: {name: v if math.isfinite(v) else None for name, v in values.items()}
            for seed, values in seeds.items()
        }
        for arm, seeds in figures.items()
    }


def _known(value: float | None) -> float:
    return math.nan if value is None else float(value)
