"""All that a comparison says, as text and tables: what the terminal and the page both show."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from emulator.domain import domain_of
from emulator.metrics.forecasts import MODEL
from emulator.report.compare.bars import Row, grouped_rows, n_met
from emulator.report.compare.inputs import Trained, read_trained
from emulator.report.compare.responses import response_slopes
from emulator.report.compare.scores import (
    BETTER,
    WORSE,
    Ratios,
    percent,
    ratio_cell,
    score_ratios,
)
from emulator.report.compare.seeds import UNSEEN, seed_table
from emulator.report.compare.settings import differing
from emulator.report.figures.style import domain_of_file, fields_of
from emulator.report.page import Table
from emulator.report.text import UNKNOWN, of_runs


@dataclass(frozen=True)
class Comparison:
    """Models beside the first of them, the reference.

    Attributes
    ----------
    labels
        Of fields, by name.
    ratios
        Of all models but the reference.
    bars
        By group.
    slopes
        ``(model, estimate, parameter, field)``; None: no response set was held out.
    seeds
        None: nothing is known of other seeds.
    notes
        What limits the comparison.
    """

    models: list[Trained]
    labels: dict[str, str]
    ratios: list[Ratios]
    bars: dict[str, list[Row]]
    slopes: xr.DataArray | None
    seeds: Table | None
    notes: list[str]

    @property
    def reference(self) -> Trained:
        """The first model."""
        return self.models[0]

    @property
    def runs(self) -> str:
        """Of how many runs its numbers are."""
        metrics = self.reference.metrics
        domain = domain_of_file(metrics)
        return of_runs(int(metrics.attrs["n_runs"]), metrics.sizes["simulation"], domain)

    @property
    def limits(self) -> list[str]:
        """What to know before a verdict is believed: the notes, and seeds that nobody varied."""
        return [*self.notes, *([UNSEEN] if self.seeds is None else [])]


def compare(folders: Sequence[Path]) -> Comparison:
    """Read folders of results and compare them with the first; raises as :func:`read_trained`."""
    models = read_trained(folders)
    metrics = models[0].metrics
    labels = {name: field.label for name, field in fields_of(metrics).items()}
    return Comparison(
        models=models,
        labels=labels,
        ratios=score_ratios(models),
        bars=grouped_rows(models, domain_of(models[0].metrics.attrs, models[0].folder)),
        slopes=response_slopes(models),
        seeds=seed_table(models, labels),
        notes=_notes(models),
    )


@dataclass(frozen=True)
class Verdict:
    """What came out for one model: in a line, and what else to know."""

    short: str
    more: str


def verdicts(comparison: Comparison) -> list[Verdict]:
    """Who is better than the reference, by how much; one a model."""
    reference, found = comparison.reference, []
    for model, ratios in zip(comparison.models[1:], comparison.ratios, strict=True):
        _, low, high = values = ratios.overall.values
        said = ": no difference beyond its interval." if low < 1.0 < high else "."
        found.append(
            Verdict(
                f"{model.label} against {reference.label}: CRPS {percent(values)}{said}",
                f"The number is the geometric mean over fields and scales. Of {ratios.n_single} "
                f"ratios of single fields and scales {ratios.count(BETTER)} are better beyond "
                f"their interval and {ratios.count(WORSE)} worse. {model.label} meets "
                f"{n_met(model)} of {len(model.bars)} bars, {reference.label} {n_met(reference)} "
                f"of {len(reference.bars)}.",
            )
        )
    return found


def stars(comparison: Comparison) -> str:
    """What a star at a bar means, and where it means less."""
    said = "★: the best value, whether or not it is so beyond its error."
    if all(_same_baselines(model, comparison.reference) for model in comparison.models):
        return said
    return f"{said} Gains count against baselines that are not the same: their stars say little."


def headline(comparison: Comparison) -> Table:
    """One row a model."""
    overall = {found.label: ratio_cell(found.overall.values) for found in comparison.ratios}
    rows = [
        [
            model.label,
            overall.get(model.label, "1 (reference)"),
            f"{n_met(model)} of {len(model.bars)}",
            _duration(model.cost.train_seconds),
            _number(model.cost.evaluations, "d"),
        ]
        for model in comparison.models
    ]
    return Table(
        ["model", "CRPS ratio", "bars met", "training", "evaluations a member"],
        rows,
        f"CRPS over that of {comparison.reference.label}, geometric mean over fields and scales "
        "(below 1 is better), with its interval of 68 % from a jackknife over runs of the pair: a "
        "word stands where the interval excludes 1. Times compare only if they are of the same "
        "machine.",
    )


def cost_table(comparison: Comparison) -> Table:
    """What models cost, one column each."""
    costs = [model.cost for model in comparison.models]
    rows = [
        ["steps of training", *(_number(c.steps, "d") for c in costs)],
        ["time of training, all seeds", *(_duration(c.train_seconds) for c in costs)],
        ["weights of the network", *(_number(c.weights, ",d") for c in costs)],
        ["network evaluations a member", *(_number(c.evaluations, "d") for c in costs)],
        ["time a member [ms]", *(_number(c.member_ms, ".3g") for c in costs)],
        ["weights, SHA-256", *(" ".join(w[:8] for w in m.weights) for m in comparison.models)],
    ]
    return Table(
        ["cost", *(model.label for model in comparison.models)],
        rows,
        f"{UNKNOWN}: not recorded. The time a member is that of the workflow's jobs of the stage "
        "sample, their start included, over all members of all windows. Times compare only if they "
        "are of the same machine.",
        of_runs=False,
    )


def differences_table(comparison: Comparison) -> Table | None:
    """Keys of the configs that are not equal; None: all that is recorded is equal."""
    rows = differing([model.settings for model in comparison.models])
    if not rows:
        return None
    return Table(
        ["key", *(model.label for model in comparison.models)],
        [[name, *values] for name, values in rows.items()],
        f"Keys of the configs that are not equal, of what models and ensembles record; {UNKNOWN}: "
        "has no such key.",
        of_runs=False,
    )


def _notes(models: Sequence[Trained]) -> list[str]:
    """What a reader must know who takes bars of two models for numbers of one kind."""
    notes = []
    reference, *others = models
    for model in others:
        if not _same_baselines(model, reference):
            notes.append(
                f"Baselines of {model.label} are not those of {reference.label} (another "
                "regression, or other simulations of training): each gain counts against its own. "
                "Ratios of CRPS do not depend on baselines."
            )
        if model.metrics.sizes["member"] != reference.metrics.sizes["member"]:
            notes.append(
                f"{model.label} drew {model.metrics.sizes['member']} members a window, "
                f"{reference.label} {reference.metrics.sizes['member']}: scores are fair for any "
                "number, ranks and coverage are of other classes."
            )
        if set(model.weights) & set(reference.weights):
            notes.append(f"{model.label} and {reference.label} were drawn from the same weights.")
    return notes


def _same_baselines(model: Trained, reference: Trained) -> bool:
    return _baselines(model.metrics).equals(_baselines(reference.metrics))


def _baselines(metrics: xr.Dataset) -> xr.DataArray:
    scores = metrics["score"]
    return scores.sel(forecast=scores["forecast"] != MODEL)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _number(value: float | None, form: str) -> str:
    return UNKNOWN if value is None else format(value, form)
