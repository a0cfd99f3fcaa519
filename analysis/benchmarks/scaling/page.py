"""The page and the figure of a study: scores along each axis, and what they predict."""

from collections.abc import Mapping
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from analysis.benchmarks.arms.table import calibration, verdict
from analysis.benchmarks.scaling.axes import Axis, Study, number_of, point_name
from analysis.benchmarks.scaling.curve import PowerLaw, fit_power_law
from analysis.benchmarks.tables import Measurement, to_markdown
from emulator.config import ExperimentConfig
from emulator.cost.network import network_cost
from emulator.cost.requests import GPU_FLOP_PER_SECOND, passes
from emulator.io import EmulatorError, write_bytes, write_json, write_text
from emulator.report.compare.inputs import Trained, read_trained
from emulator.report.figures.style import fields_of, new_figure

Scores = dict[str, float]

LEAD = """# Scaling: scores against steps, parameter points and width

Written by `make bench-scaling`: one key of the demo at a time
([scaling.yaml](scaling/scaling.yaml)), one seed and one thread each, judged as the demo is. Scores
are the CRPS of pixels over that of a re-drawn truth of the same simulation: 1 is the most that can
be known."""


def scores_of(metrics: xr.Dataset) -> Scores:
    """CRPS of pixels over that of a re-drawn truth, by the label of the field."""
    gains = [
        metrics[name].sel(estimate="value").isel(scale=0) for name in ("crps_gain", "oracle_gain")
    ]
    ratio = (1.0 - gains[0]) / (1.0 - gains[1])
    fields = fields_of(metrics)
    return {
        fields[str(name)].label: float(ratio.sel(channel=name)) for name in ratio["channel"].values
    }


def write_pages(
    study: Study,
    configs: Mapping[str, ExperimentConfig],
    folders: Mapping[str, Path],
    page: Path,
    remark: str = "",
) -> None:
    """Write ``.md``, ``.json`` and ``.png`` of what has run.

    Parameters
    ----------
    study
        Axes.
    configs
        By the name of the point.
    folders
        Results of the points that are finished, by name.
    page
        The Markdown; the others lie beside it.
    remark
        What a reader must know of the machine or of what has not run.

    Raises
    ------
    EmulatorError
        Nothing has run.
    """
    if not folders:
        raise EmulatorError("scaling: expected a point that is finished, got none: run one first")
    distinct = sorted(set(folders.values()))
    # each is read beside the first, and so is the first
    read = read_trained([distinct[0], *distinct])[1:]
    models = dict(zip(distinct, read, strict=True))
    axes = {
        name: {
            number_of(value): models[folders[point_name(name, value)]]
            for value in axis.values
            if point_name(name, value) in folders
        }
        for name, axis in study.axes.items()
    }
    parts = [
        _table(name, study.axes[name], found) for name, found in axes.items() if len(found) > 1
    ]
    if steps := axes.get("steps"):
        parts.append(_prediction(steps, next(iter(configs.values()))))
    sections = {"scaling": [part.to_json() for part in parts]}
    write_json(page.with_suffix(".json"), sections, sealed=False)
    picture = page.with_suffix(".png")
    write_bytes(picture, _png(draw(study, axes)))
    lead = f"{LEAD}\n\n{remark}" if remark else LEAD
    words = f"{lead}\n\n![CRPS over that of a re-drawn truth along each axis]({picture.name})"
    write_text(page, to_markdown(sections, words))


def _table(name: str, axis: Axis, found: Mapping[int, Trained]) -> Measurement:
    rows, figures = [], {}
    for value, model in found.items():
        parts = scores_of(model.metrics), verdict(model), calibration(model.metrics)
        figures[str(value)] = {key: number for part in parts for key, number in part.items()}
        rows.append(
            [str(value), *(format(number, ".3g") for number in figures[str(value)].values())]
        )
    note = f"Along `{axis.key}` [{axis.unit}]."
    if laws := _laws(found):
        said = [f"{label}: s - 1 falls as x^-{law.power:.2f}" for label, law in laws.items()]
        note += f" Power laws of the excess over 1: {'; '.join(said)}."
    header = [axis.unit, *next(iter(figures.values()))]
    return Measurement(name.capitalize(), note, [], header, rows, figures)


def _laws(found: Mapping[int, Trained]) -> dict[str, PowerLaw]:
    scores = [scores_of(model.metrics) for model in found.values()]
    laws = {
        label: fit_power_law(list(found), [each[label] for each in scores]) for label in scores[0]
    }
    return {label: law for label, law in laws.items() if law is not None}


def steps_an_hour(config: ExperimentConfig) -> float:
    """Steps of a training in an hour of a slow GPU, as the cost of a job is predicted."""
    flop = 3 * network_cost(config).forward_flop * passes(config)
    return 3600.0 * GPU_FLOP_PER_SECOND / flop


def _prediction(found: Mapping[int, Trained], config: ExperimentConfig) -> Measurement:
    steps = steps_an_hour(config)
    rows = [
        [label, f"{law.power:.2f}", f"{law(steps):.3f}", f"{law.scatter:.1%}"]
        for label, law in _laws(found).items()
    ]
    return Measurement(
        "What an hour of a GPU would buy",
        f"Predicted, not measured: {steps:.3g} steps at {GPU_FLOP_PER_SECOND:.0e} operations a "
        "second (what a slow GPU sustains), extrapolated along the power law of steps with as many "
        "simulations. It ends where the simulations have been seen too often, which the law does "
        "not know; fields whose scores do not fall have none.",
        [],
        ["field", "power", "score after the hour", "scatter of s - 1 about the law"],
        rows,
        {"steps": steps},
    )


def draw(study: Study, axes: Mapping[str, Mapping[int, Trained]]) -> Figure:
    """Scores along each axis, a panel each."""
    shown = {name: found for name, found in axes.items() if len(found) > 1}
    figure, panels = new_figure(1, max(1, len(shown)), size=(3.6 * max(1, len(shown)), 3.2))
    for panel, (name, found) in zip(panels[0], shown.items(), strict=False):
        rows = {
            field.label: field for field in fields_of(next(iter(found.values())).metrics).values()
        }
        scores = [scores_of(model.metrics) for model in found.values()]
        for label in scores[0]:
            values = [each[label] for each in scores]
            panel.plot(list(found), values, "o-", color=rows[label].color, label=label)
        panel.axhline(1.0, color="black", linewidth=1, linestyle=":")
        panel.set(xscale="log", title=name, xlabel=study.axes[name].unit)
        panel.set_xticks(list(found), [str(value) for value in found], minor=False)
        panel.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    panels[0][0].set_ylabel("CRPS / that of a re-drawn truth")
    panels[0][0].legend()
    return figure


def _png(figure: Figure) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
