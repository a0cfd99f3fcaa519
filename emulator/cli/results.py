"""Commands on results: compare ensembles with the truth, and write the page."""

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.options import AS_PATH, Config, MapsDir, Results, Split, maps_of, results_of
from emulator.config import ensemble_file, read_config, regression_folder


def validate(
    config: Config,
    split: Split = "test",
    maps: MapsDir = None,
    results: Results = None,
) -> None:
    """Compare ensembles with the truth and with baselines (metrics.nc, acceptance.json)."""
    from emulator.data.splits import read_splits
    from emulator.suites import suite_of
    from emulator.validation.evaluate import validate as validate_ensembles

    experiment = read_config(config)
    folder = results_of(experiment, results)
    splits = read_splits(folder / "splits.json")
    sampled = suite_of(experiment).sampled(splits[split])
    validate_ensembles(
        [ensemble_file(folder, split, name) for name in sampled],
        maps_of(experiment, maps),
        splits,
        experiment.validation,
        metrics_path=folder / "metrics.nc",
        acceptance_path=folder / "acceptance.json",
        regression=regression_folder(folder) if experiment.regression.max_steps else None,
    )


def report(
    config: Config,
    maps: MapsDir = None,
    results: Results = None,
    output: Annotated[
        Path | None, typer.Option(help="Page [RESULTS/report.html].", **AS_PATH)
    ] = None,
) -> None:
    """Write the self-contained report page."""
    from emulator.report.build import build_report

    experiment = read_config(config)
    folder = results_of(experiment, results)
    page = output or folder / "report.html"
    build_report(folder, page, maps_dir=maps_of(experiment, maps))
    typer.echo(f"report: {page}")
