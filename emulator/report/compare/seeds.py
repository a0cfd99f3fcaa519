"""By how much another seed of training moves a score, as far as the results say."""

from collections.abc import Sequence

import xarray as xr

from emulator.metrics.jackknife import Jackknife
from emulator.metrics.paired import relative_scatter
from emulator.report.compare.inputs import Trained
from emulator.report.compare.scores import model_scores
from emulator.report.compare.settings import SEEDS
from emulator.report.page import Table
from emulator.report.text import with_interval

UNSEEN = (
    "Each experiment was trained from one seed, so how far another seed would move these numbers "
    "is not known, and no error here contains it. Train more seeds (training.seeds), or give the "
    "results of the same experiment with another seed beside these."
)


def seed_table(models: Sequence[Trained], labels: dict[str, str]) -> Table | None:
    """Scatter of the CRPS among seeds over its mean, by field; None where nothing is known."""
    runs = Jackknife(models[0].metrics["run"])
    rows: list[list[str]] = []
    for model in models:
        if "score_by_model" in model.metrics:
            scores = model.metrics["score_by_model"]
            name = f"{model.label}, {scores.sizes['model_seed']} seeds"
            rows.append([name, "pixel", *_cells(runs, scores, "model_seed")])
    for alike in repeated(models):
        parts = [model_scores(model.metrics) for model in alike]
        scores = xr.concat(parts, "model")
        name = ", ".join(model.label for model in alike)
        rows += [
            [name, str(place), *_cells(runs, scores.sel(place=place), "model")]
            for place in scores["place"].values
        ]
    if not rows:
        return None
    channels = [labels[str(name)] for name in models[0].metrics["channel"].values]
    return Table(
        ["trained alike", "scored", *channels],
        rows,
        "Standard deviation of the mean CRPS among seeds of training over its mean. A ratio of two "
        "models that differs from 1 by less may be a matter of the seed. Of two or three seeds it "
        "is known to a factor of two at best; its interval is that of the runs alone.",
    )


def _cells(runs: Jackknife, scores: xr.DataArray, over: str) -> list[str]:
    scatter = runs.estimate(relative_scatter(runs, scores, over), "scatter between seeds")
    return [
        with_interval(values, ".1%") for values in scatter.transpose("channel", "estimate").values
    ]


def repeated(models: Sequence[Trained]) -> list[list[Trained]]:
    """Groups of results whose settings differ by the seeds of training alone.

    As many seeds each, and none in common: a model beside a mixture that it is part of is no other
    draw of the same training.
    """
    groups: list[list[Trained]] = []
    for model in models:
        alike = [group for group in groups if _but_seeds(group[0]) == _but_seeds(model)]
        if not alike:
            groups.append([model])
        elif not {seed for other in alike[0] for seed in _seeds(other)} & set(_seeds(model)):
            alike[0].append(model)
    return [group for group in groups if len(group) > 1]


def _seeds(model: Trained) -> list[int]:
    return list(model.settings[SEEDS])


def _but_seeds(model: Trained) -> dict[str, object]:
    return {**model.settings, SEEDS: len(_seeds(model))}
