"""Commands on results: compare ensembles with the truth, write the page, compare models."""

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.options import AS_PATH, Config, MapsDir, Results, Split, maps_of, results_of
from emulator.cli.trained import Models, require_own_bundles
from emulator.config import ensemble_file, read_config, regression_folder, trained_bundles


def validate(
    config: Config,
    split: Split = "test",
    maps: MapsDir = None,
    results: Results = None,
    model: Models = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Simulations that are evaluated side by side, in threads.")
    ] = 1,
) -> None:
    """Compare ensembles with the truth and with baselines (metrics.nc, acceptance.json).

    What came out, and what the members were drawn with, is noted beside the weights that drew them
    (validated.json, README.md).
    """
    from emulator.data.splits import read_splits
    from emulator.suites import suite_of
    from emulator.validation.evaluate import validate as validate_ensembles

    experiment = read_config(config, twins_for="validate")
    folder = results_of(experiment, results)
    if not model:
        require_own_bundles(experiment, folder)
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
        bundles=[path for given in model or [folder / "model"] for path in trained_bundles(given)],
        workers=workers,
    )


def report(
    config: Config,
    maps: MapsDir = None,
    results: Results = None,
    output: Annotated[
        Path | None, typer.Option(help="Page [RESULTS/report.html].", **AS_PATH)
    ] = None,
    previous: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of results of an earlier run on the same held-out simulations to compare "
            "with; may be repeated [report.previous of the config].",
            **AS_PATH,
        ),
    ] = None,
) -> None:
    """Write the self-contained report page."""
    from emulator.report.build import build_report

    experiment = read_config(config, twins_for="report")
    folder = results_of(experiment, results)
    page = output or folder / "report.html"
    earlier = previous or [Path(each) for each in experiment.report.previous]
    build_report(folder, page, maps_dir=maps_of(experiment, maps), previous=earlier)
    typer.echo(f"report: {page}")


def compare(
    results: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of results of trained experiments, two or more; the first is the "
            "reference.",
            **AS_PATH,
        ),
    ],
    output: Annotated[
        Path | None, typer.Option(help="Write a self-contained page, too.", **AS_PATH)
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write one row a bar and model, too.", **AS_PATH)
    ] = None,
) -> None:
    """Say which of several models is better and by how much, at the same held-out windows."""
    from emulator.io import write_text
    from emulator.report.compare.bars import to_csv
    from emulator.report.compare.comparison import compare as compare_results
    from emulator.report.compare.page import write_comparison
    from emulator.report.compare.terminal import to_text

    comparison = compare_results(results)
    written = []
    if output is not None:
        write_comparison(comparison, output)
        written.append(f"page: {output}")
    if csv is not None:
        write_text(csv, to_csv(comparison.models))
        written.append(f"table: {csv}")
    typer.echo("\n\n".join([to_text(comparison), *written]))
