"""The parts of the page: which figure stands where, and what its caption says.

Captions say what is shown, what good looks like, and quote the bar from ``acceptance.json``.
"""

import json
from typing import Any

import xarray as xr

from emulator.report.figures import style
from emulator.report.figures.box import plot_box
from emulator.report.figures.correlation import plot_correlation, plot_identity
from emulator.report.figures.cost import plot_cost
from emulator.report.figures.coverage import plot_coverage
from emulator.report.figures.crps import plot_crps
from emulator.report.figures.maps import plot_maps
from emulator.report.figures.models import plot_models
from emulator.report.figures.occupancy import plot_occupancy
from emulator.report.figures.one_point import plot_one_point
from emulator.report.figures.power import plot_power, plot_power_ratio
from emulator.report.figures.ranks import plot_ranks
from emulator.report.figures.spread_skill import plot_spread_skill
from emulator.report.figures.suppression import plot_suppression
from emulator.report.figures.training import plot_training
from emulator.report.inputs import Inputs
from emulator.report.overview import build_provenance
from emulator.report.page import Section, Table, encode_figure

BAND = "Bands are the 16 to 84 % interval of a bootstrap over runs."


def build_sections(inputs: Inputs) -> list[Section]:
    """All sections in reading order."""
    config = json.loads(inputs.metrics.attrs["config"])
    return [
        _maps(inputs),
        _spectra(inputs.metrics, config),
        _calibration(inputs.metrics, config),
        _one_point(inputs.metrics, config),
        _scores(inputs.metrics, config),
        *_models(inputs.metrics),
        _training(inputs),
        _cost(inputs),
        build_provenance(inputs, config),
    ]


def _maps(inputs: Inputs) -> Section:
    section = Section(
        "maps",
        "Maps",
        "Windows are chosen by their DMO mass alone (heaviest, median and lightest of three "
        "simulations), so no good-looking draw was picked; the member is always the first.",
    )
    for shown in inputs.shown:
        name = shown.ensemble.attrs["simulation"]
        section.pictures.append(
            encode_figure(
                plot_maps(shown.ensemble, shown.sample),
                raster=True,
                alt=f"Maps of simulation {name}, window {shown.sample}: condition, truth, member, "
                "ensemble mean and standard deviation for each channel",
                caption=f"{name}, window {shown.sample}, the {shown.why} in DMO mass. Truth, "
                "member and mean share one logarithmic scale. Good: the member looks like another "
                "draw of the truth, equally sharp; the mean is smoother; the scatter sits in "
                "halos, where baryons are uncertain.",
            )
        )
    first = inputs.shown[0].ensemble
    if inputs.box_dmo is None:
        section.missing.append(
            f"The maps file of {first.attrs['simulation']} was not found, so the picture of the "
            "whole box is left out."
        )
    else:
        section.pictures.append(
            encode_figure(
                plot_box(inputs.box_dmo, first),
                raster=True,
                alt=f"DMO maps of the whole box of {first.attrs['simulation']} with its windows",
                caption=f"DMO maps of {first.attrs['simulation']}, up to three projections, "
                "with the evaluated windows outlined and numbered. Good: windows cover halos, "
                "filaments and voids.",
            )
        )
    return section


def _spectra(metrics: xr.Dataset, config: dict[str, Any]) -> Section:
    k_range = (config["k_min_hmpc"], config["k_max_hmpc"])
    tolerance = config["power_tolerance"]
    shaded = f"The shaded range, k = {k_range[0]:g} to {k_range[1]:g} h/Mpc, is that of the bars."
    bars = ", ".join(
        f"{style.LABELS[name]} {value:.0%}"
        for name, value in tolerance.items()
        if name in metrics["field"]
    )
    suppression, near = [], ""
    if "suppression_truth" in metrics:
        near = "; it is near 1 for total matter without any model"
        suppression.append(
            encode_figure(
                plot_suppression(metrics, k_range),
                alt="Suppression of total matter power, truth and members",
                caption="Total matter power over DMO power: what baryons do to matter. Good: the "
                "members reproduce depth and scale of the dip. Bar: total matter power within "
                f"{tolerance.get('total', float('nan')):.0%}. {shaded} {BAND}",
            )
        )
    return Section(
        "spectra",
        "Power spectra",
        "Spectra of single members, averaged afterwards; a spectrum of the ensemble mean would "
        "miss the small scales. Masses are in units of the mean DMO mass per pixel.",
        pictures=[
            encode_figure(
                plot_power_ratio(metrics, tolerance, k_range),
                alt="Ratio of member to truth power by field, with tolerance bands",
                caption="Power of the members over that of the truth. Summed over windows, a few "
                "massive halos dominate; the median shows the typical window. Good: both lines "
                f"at 1. Bar (green): {bars}, for k = {k_range[0]:g} to {k_range[1]:g} h/Mpc. "
                f"{BAND}",
            ),
            encode_figure(
                plot_power(metrics),
                alt="Power spectra of truth and members by field",
                caption=f"Power spectra. Good: the dashed line lies on the solid one. {BAND}",
            ),
            *suppression,
            encode_figure(
                plot_correlation(metrics, k_range),
                alt="Correlation coefficient with the truth by field, members and DMO",
                caption="Correlation with the truth. The dotted line is what a copy of the DMO "
                f"field reaches{near}. A draw that is "
                "honest about its uncertainty may lie below that line: the member's own randomness "
                "counts against it (see the calibration identity). No bar.",
            ),
        ],
    )


def _calibration(metrics: xr.Dataset, config: dict[str, Any]) -> Section:
    k_range, (low, high) = (config["k_min_hmpc"], config["k_max_hmpc"]), config["spread_skill"]
    return Section(
        "calibration",
        "Calibration",
        "In a calibrated ensemble the truth is one more member. These tests ask whether it is.",
        pictures=[
            encode_figure(
                plot_spread_skill(metrics, (low, high)),
                alt="Spread over skill by channel with the range of the bar",
                caption="Scatter of the members over the error of their mean, corrected for the "
                "size of the ensemble. Good: 1; below 1 the ensemble is too confident. Bar: "
                f"{low:g} to {high:g}. Ticks are single simulations, points the mean over runs.",
            ),
            encode_figure(
                plot_ranks(metrics),
                alt="Rank histograms by channel for pixels and window masses",
                caption="Rank of the truth among the members, ties broken at random. Good: flat at "
                "1. A U shape is too narrow an ensemble, a slope is a bias. No bar.",
            ),
            encode_figure(
                plot_coverage(metrics),
                alt="Coverage of central intervals against their nominal share",
                caption="How often the truth lies inside central intervals of the ensemble. Good: "
                "on the diagonal; below it the ensemble is too confident. No bar.",
            ),
            encode_figure(
                plot_identity(metrics, k_range),
                alt="Correlation of members with the truth and with each other by field",
                caption="Correlation of a member with the truth, and with another member. Good: "
                "the two agree at every k, exactly so for a calibrated ensemble. Members that "
                f"agree more with each other than with the truth are too confident. No bar. {BAND}",
            ),
        ],
    )


def _one_point(metrics: xr.Dataset, config: dict[str, Any]) -> Section:
    ratio = metrics["mass_ratio"]
    rows = [
        [style.LABELS[str(name)], _with_interval(ratio.sel(field=name).values)]
        for name in ratio["field"].values
    ]
    section = Section("masses", "Masses, occupancy and distribution")
    if "stars" in metrics["channel"].values:
        section.pictures.append(
            encode_figure(
                plot_occupancy(metrics),
                alt="Stars: occupied share of pixels and mean mass, members against truth",
                caption="Stars are sparse. Left: share of pixels that hold more than "
                f"{config['occupied_msunh']:.0e} Msun/h; right: mean mass. One point a simulation. "
                "Good: points on the diagonal. No bar.",
            )
        )
    section.pictures.append(
        encode_figure(
            plot_one_point(metrics),
            alt="Distribution of mass per pixel by channel, truth and members",
            caption="Distribution of the mass in a pixel; empty pixels count in the total but are "
            f"not drawn. Good: the dashed line lies on the solid one, tails included. {BAND}",
        )
    )
    section.tables.append(
        Table(
            ["field", "mass, members / truth"],
            rows,
            "Total mass in all windows, with the bootstrap interval. Good: 1. No bar.",
        )
    )
    return section


def _scores(metrics: xr.Dataset, config: dict[str, Any]) -> Section:
    gain = config["crps_gain"]
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
    channels = [str(name) for name in metrics["channel"].values]
    rows = []
    for kind in metrics["forecast"].values:
        scores = metrics["crps"].sel(forecast=kind)
        cells = [_mass(float(scores.sel(channel=c, estimate="value"))) for c in channels]
        rows.append([style.FORECASTS[str(kind)], *cells])
    if bool(metrics["oracle_crps"].notnull().any()):
        oracle = metrics["oracle_crps"].sel(estimate="value")
        cells = [_mass(float(oracle.sel(channel=c))) for c in channels]
        rows.append([style.FORECASTS["oracle"], *cells])
        ratio = metrics["oracle_ratio"]
        cells = [_with_interval(ratio.sel(channel=c).values) for c in channels]
        rows.append(["model over oracle, same simulations", *cells])
    gain = metrics["crps_gain"]
    cells = [_with_interval(gain.sel(channel=c).values, percent=True) for c in channels]
    rows.append(["gain over the best baseline", *cells])
    caption = (
        "Mean CRPS [Msun/h per pixel]. Baselines: the DMO map times a constant share; a linear "
        "filter of the DMO map fitted on the training split; for stars also an empty map and an "
        "ensemble of random training windows. The oracle is the re-drawn truth itself: no forecast "
        "can do better on average."
    )
    return Table(["forecast", *(style.LABELS[c] for c in channels)], rows, caption)


def _models(metrics: xr.Dataset) -> list[Section]:
    """What models of different seeds disagree about, if there are several."""
    if "model_share" not in metrics:
        return []
    channels = [str(name) for name in metrics["channel"].values]
    scores = metrics["crps_by_model"].sel(estimate="value")
    rows = [
        [f"seed {seed}", *(_mass(float(scores.sel(model_seed=seed, channel=c))) for c in channels)]
        for seed in metrics["model_seed"].values
    ]
    together = metrics["crps"].sel(forecast="model", estimate="value")
    rows.append(["all together", *(_mass(float(together.sel(channel=c))) for c in channels)])
    return [
        Section(
            "models",
            "Uncertainty of the model",
            "Models that were trained alike from different seeds differ by what training has not "
            "determined. The ensemble holds the members of all of them; nothing is averaged.",
            pictures=[
                encode_figure(
                    plot_models(metrics),
                    alt="Share of the ensemble variance between models, and power ratio by model",
                    caption="Left: share of the ensemble's variance that lies between models. "
                    "Good: small; the rest is what each model leaves open. Right: power of each "
                    "model's members over that of the truth, one line a seed. Good: the lines of a "
                    f"field lie together, at 1. No bar. {BAND}",
                )
            ],
            tables=[
                Table(
                    ["model", *(style.LABELS[c] for c in channels)],
                    rows,
                    "Mean CRPS [Msun/h per pixel] of each model's members alone, and of all "
                    "members together, which is at most the mean of the rows above it.",
                )
            ],
        )
    ]


def _training(inputs: Inputs) -> Section:
    section = Section("training", "Training")
    if "model_share" not in inputs.metrics:
        section.missing.append(
            "One model was trained (training.seeds), so what models would disagree about is not "
            "known, and is not part of the spread."
        )
    if not inputs.histories:
        section.missing.append("No model/seed_*/history.csv was found: no training curves.")
        return section
    section.pictures.append(
        encode_figure(
            plot_training(inputs.histories),
            alt="Training and validation loss, and the bound in bits per dimension, by step",
            caption="Loss that was trained, and the unweighted variational bound of held-out "
            "windows. Good: both fall and level off, validation not rising while training falls. "
            "The bound does not rank the quality of samples; the bars above do.",
        )
    )
    return section


def _cost(inputs: Inputs) -> Section:
    section = Section("cost", "Cost")
    if not inputs.benchmarks:
        section.missing.append(
            "No benchmark tables (benchmarks/**/*.tsv) were found: time and memory are not shown. "
            "They are written when the workflow runs through Snakemake."
        )
        return section
    total = sum(row["seconds"] for row in inputs.benchmarks)
    section.pictures.append(
        encode_figure(
            plot_cost(inputs.benchmarks),
            alt="Wall time by rule of the workflow",
            caption=f"Wall time summed over the jobs of each rule ({total / 60:.1f} min in all), "
            "with the largest resident memory of a job. Jobs that ran side by side count fully.",
        )
    )
    if inputs.predicted:
        section.tables.append(_predicted(inputs))
    else:
        section.missing.append(
            "No prediction (cost.json) was found: `emulator cost CONFIG` makes one before a run, "
            "and it is then compared with what was used."
        )
    return section


def _predicted(inputs: Inputs) -> Table:
    """What `emulator cost` predicted beside what Snakemake measured."""
    used = {row["rule"]: row for row in inputs.benchmarks}
    rows = []
    for stage, cost in inputs.predicted.items():
        real = used.get(stage, {"jobs": 0, "seconds": float("nan"), "max_rss_mb": None})
        memory = real["max_rss_mb"]
        rows.append(
            [
                stage,
                f"{cost['jobs']} / {real['jobs']}",
                f"{cost['seconds']:.3g} / {real['seconds']:.3g}",
                f"{cost['memory_mb']:.0f} / {'–' if memory is None else f'{memory:.0f}'}",
            ]
        )
    return Table(
        ["stage", "jobs", "time [s]", "memory [MB]"],
        rows,
        "Predicted / used. Time is that of all jobs without their start; memory is what a job asks "
        "for, and the most that one used. Good: times within a factor of two, memory below what "
        "was asked for. Jobs that were kept from an earlier run count as used.",
    )


def _with_interval(values: Any, *, percent: bool = False) -> str:
    value, low, high = (float(number) for number in values)
    if value != value:
        return "–"
    form = "{:.0%}" if percent else "{:.2f}"
    if low != low:
        return form.format(value)
    return f"{form.format(value)} ({form.format(low)} to {form.format(high)})"


def _mass(value: float) -> str:
    return "–" if value != value else f"{value:.3g}"
