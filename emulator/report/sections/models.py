"""What models of different seeds disagree about."""

import xarray as xr

from emulator.metrics.channels import common_unit
from emulator.report.figures import style
from emulator.report.figures.models import plot_models
from emulator.report.numbers import numbers_of
from emulator.report.page import Section, Table, encode_figure
from emulator.report.sections.scores import labels_with_unit
from emulator.report.text import BAND, number


def models_sections(metrics: xr.Dataset) -> list[Section]:
    """What models of different seeds disagree about, if there are several."""
    if "model_share" not in metrics:
        return []
    known = style.fields_of(metrics)
    channels = [str(name) for name in metrics["channel"].values]
    fields = [known[name] for name in channels]
    scores = metrics["crps_by_model"].sel(estimate="value")
    rows = [
        [f"seed {seed}", *(number(float(scores.sel(model_seed=seed, channel=c))) for c in channels)]
        for seed in metrics["model_seed"].values
    ]
    together = metrics["crps"].sel(scale=1, forecast="model", estimate="value")
    rows.append(["all together", *(number(float(together.sel(channel=c))) for c in channels)])
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
                    numbers=numbers_of(metrics, "model_share", "power_ratio_by_model"),
                )
            ],
            tables=[
                Table(
                    ["model", *labels_with_unit(fields)],
                    rows,
                    f"Mean CRPS [{common_unit(fields)}] of each model's members alone, and of all "
                    "members together, which is at most the mean of the rows above it.",
                )
            ],
        )
    ]
