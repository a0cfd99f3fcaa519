"""The command that audits a trained model: whole boxes, changed conditions, splits."""

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.options import AS_PATH, Config, MapsDir, Raw, Results, maps_of, results_of
from emulator.config import read_config


def audit(
    config: Config,
    raw: Raw = None,
    maps: MapsDir = None,
    results: Results = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(help="Bundle, or folder of bundles [RESULTS/model]; repeatable.", **AS_PATH),
    ] = None,
) -> None:
    """Audit a trained model for the report (audits.nc): what windows alone do not show.

    Whole held-out boxes are painted; windows are drawn with another context, with other parameters,
    turned and mirrored; and the files are searched for what two splits share.
    """
    from emulator.data.splits import read_splits
    from emulator.io import write_dataset
    from emulator.model.bundle import bundles_in
    from emulator.sampling.loading import load_bundle
    from emulator.sampling.mixture import Mixture
    from emulator.suites import suite_of
    from emulator.validation.audits.stage import audit as audit_model

    experiment = read_config(config, twins_for="audit")
    folder, split = results_of(experiment, results), experiment.data.split
    splits = read_splits(folder / "splits.json")
    sampled = suite_of(experiment, raw).sampled(splits["test"])
    bundles = [path for given in model or [folder / "model"] for path in bundles_in(given)]
    # as the ensembles are drawn
    models = {
        str(path): load_bundle(path, calibrated=experiment.calibration.enabled) for path in bundles
    }
    audits = audit_model(
        next(iter(models.values())) if len(models) == 1 else Mixture(models),
        splits,
        [name for name in sampled if split.response_set_of(name) is None],
        maps_of(experiment, maps),
        experiment.audits,
        experiment.sampling,
    )
    path = folder / "audits.nc"
    write_dataset(audits, path)
    typer.echo(f"audit: {path}")
