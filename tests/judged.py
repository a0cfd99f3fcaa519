"""Some metrics of ensembles in memory, without files, maps and baselines."""

import numpy as np
import xarray as xr

from emulator.config import ValidationConfig
from emulator.fields import find_fields
from emulator.metrics.base import Case
from emulator.metrics.jackknife import Jackknife


def make_case(ensemble, *, config=None, seed=0, **more):
    """The case of an ensemble of masses, whose mean DMO mass is that of its own windows."""
    names = ensemble["channel"].values.tolist()
    mean_dmo = float(ensemble["condition"].mean())
    return Case(
        ensemble=ensemble.drop_vars("model_seed", errors="ignore"),
        fields=find_fields(names),
        pixel_mpch=0.2,
        mean_dmo=mean_dmo,
        scales=xr.DataArray([mean_dmo] * len(names), dims="channel", coords={"channel": names}),
        model_seed=np.zeros(ensemble.sizes["member"], int),
        forecasts={},
        config=config or ValidationConfig(),
        generator=np.random.default_rng(seed),
        **more,
    )


def summarised(ensembles, *metrics, more=None):
    """Summary of metrics over ensembles, each a run of its own; ``more`` of each case."""
    more = more or [{}] * len(ensembles)
    cases = [make_case(e, seed=i, **more[i]) for i, e in enumerate(ensembles)]
    names = [f"CV_{i}" for i in range(len(cases))]
    stats = xr.merge(
        [xr.concat([metric.compute(case) for case in cases], "simulation") for metric in metrics],
        compat="no_conflicts",
    ).assign_coords(run=("simulation", names), member=np.arange(cases[0].n_members))
    jackknife = Jackknife(stats["run"])
    found = [metric.summarise(jackknife, stats, cases[0].fields) for metric in metrics]
    summary = xr.Dataset({name: values for each in found for name, values in each.items()})
    return xr.merge([stats, summary])


def bars_of(summary, *metrics, config=None):
    """Rows of the bars of metrics by name."""
    fields = find_fields(summary["channel"].values.tolist())
    bars = [bar for m in metrics for bar in m.bars(summary, config or ValidationConfig(), fields)]
    return {bar.name: bar.row() for bar in bars}
