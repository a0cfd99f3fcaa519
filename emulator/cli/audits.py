"""The command that audits a trained model: whole boxes, changed conditions, splits."""

import typer

from emulator.cli.options import Config, MapsDir, Raw, Results, maps_of, results_of
from emulator.cli.trained import Models, bundles_of, load_as_drawn
from emulator.config import read_config


def audit(
    config: Config,
    raw: Raw = None,
    maps: MapsDir = None,
    results: Results = None,
    model: Models = None,
) -> None:
    """Audit a trained model for the report (audits.nc): what windows alone do not show.

    Whole held-out boxes are painted; windows are drawn with another context, with other parameters,
    turned and mirrored; and the files are searched for what two splits share.
    """
    from emulator.data.splits import read_splits
    from emulator.io import write_dataset
    from emulator.sampling.loading import as_one
    from emulator.suites import suite_of
    from emulator.validation.audits.stage import audit as audit_model

    experiment = read_config(config, twins_for="audit")
    folder, split = results_of(experiment, results), experiment.data.split
    splits = read_splits(folder / "splits.json")
    sampled = suite_of(experiment, raw).sampled(splits["test"])
    bundles = bundles_of(experiment, folder, model)
    calibrated = experiment.calibration.enabled  # as the ensembles are drawn
    models = {
        str(path): load_as_drawn(path, calibrated=calibrated, command="audit") for path in bundles
    }
    audits = audit_model(
        as_one(models),
        splits,
        [name for name in sampled if split.response_set_of(name) is None],
        maps_of(experiment, maps),
        experiment.audits,
        experiment.sampling,
    )
    path = folder / "audits.nc"
    write_dataset(audits, path)
    typer.echo(f"audit: {path}")
