"""Commands on a model: fit statistics, train it, find its solver, calibrate it, look at it."""

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.options import (
    AS_MODEL,
    AS_PATH,
    OF_MODEL,
    Config,
    MapsDir,
    Raw,
    Results,
    maps_of,
    results_of,
)
from emulator.cli.trained import Models, bundles_of
from emulator.config import bundle_folder, maps_file, read_config, regression_folder
from emulator.io import DataError

State = Annotated[
    Path | None, typer.Option(help="Folder of resume states [RESULTS/.state].", **AS_PATH)
]


def fit(config: Config, raw: Raw = None, maps: MapsDir = None, results: Results = None) -> None:
    """Split the suite by run and fit the statistics of the training split."""
    from emulator.data.splits import split_runs
    from emulator.io import write_json
    from emulator.model.fit import fit_normalisation
    from emulator.model.fit_conditions import fit_conditions
    from emulator.suites import suite_of

    experiment = read_config(config, twins_for="fit")
    folder, output = maps_of(experiment, maps), results_of(experiment, results)
    splits = split_runs(suite_of(experiment, raw).runs, experiment.data.split)
    paths = [maps_file(folder, name) for name in splits["train"]]
    normalisation = fit_normalisation(
        paths, experiment.channels, experiment.model.params, experiment.data.context_factors
    )
    # a law of densities is known of maps of matter alone
    has_law = experiment.data.dimensions == 2 and not experiment.data.of_arrays
    conditions = fit_conditions(paths, experiment.data.window) if has_law else None
    normalisation = normalisation.model_copy(update={"conditions": conditions})
    write_json(output / "splits.json", splits)
    normalisation.write(output / "normalisation.json")
    typer.echo(", ".join(f"{len(names)} {split}" for split, names in splits.items()))
    if conditions is None and has_law:
        typer.echo("conditions: too few to say later which ones are unusual", err=True)


def train(
    config: Config,
    maps: MapsDir = None,
    results: Results = None,
    seed: Annotated[
        list[int] | None, typer.Option(min=0, help="Seed [training.seeds]; repeatable.")
    ] = None,
    state: State = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the bundles seed_N [RESULTS/model].", **AS_PATH)
    ] = None,
) -> None:
    """Train a model for each seed, or go on training it, and export the bundles."""
    from emulator.data.splits import read_splits
    from emulator.model.normalisation import Normalisation
    from emulator.training.trainer import train as train_model

    experiment = read_config(config, twins_for="train")
    folder = results_of(experiment, results)
    normalisation = Normalisation.read(folder / "normalisation.json")
    splits = read_splits(folder / "splits.json")
    for number in seed or experiment.training.seeds:
        train_model(
            experiment,
            normalisation,
            splits,
            seed=number,
            maps_dir=maps_of(experiment, maps),
            state_dir=state or folder / ".state",
            output=bundle_folder(output or folder / "model", number),
        )


def regress(
    config: Config,
    maps: MapsDir = None,
    results: Results = None,
    state: State = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the bundle [RESULTS/regression].", **AS_PATH)
    ] = None,
) -> None:
    """Train the regression that validation compares the model with, or go on training it.

    It is the network of the model, which gives the mean in one pass: a baseline that draws nothing.
    """
    from emulator.data.splits import read_splits
    from emulator.model.normalisation import Normalisation
    from emulator.training.trainer import train as train_model

    experiment = read_config(config, twins_for="regress")
    folder = results_of(experiment, results)
    train_model(
        experiment,
        Normalisation.read(folder / "normalisation.json"),
        read_splits(folder / "splits.json"),
        seed=experiment.regression.seed,
        maps_dir=maps_of(experiment, maps),
        state_dir=state or folder / ".state",
        output=output or regression_folder(folder),
        objective="regression",
    )


def tune(
    config: Config,
    maps: MapsDir = None,
    results: Results = None,
    model: Models = None,
    state: Annotated[
        Path | None, typer.Option(help="Folder of measurements [RESULTS/.state].", **AS_PATH)
    ] = None,
) -> None:
    """Find the cheapest solver of each model, for `sampling: {solver: auto}` (solver.json).

    Its own error, against many evaluations from the same noise, is measured on the validation
    split; weights and model card stay as they are.
    """
    from emulator.config.names import SOLVED
    from emulator.data.splits import read_splits
    from emulator.model.bundle import read_bundle
    from emulator.sampling.ensemble import Emulator
    from emulator.sampling.tuning.stage import tune as tune_model

    experiment = read_config(config, twins_for="tune")
    folder = results_of(experiment, results)
    simulations = read_splits(folder / "splits.json")["validation"]
    for path in bundles_of(experiment, folder, model):
        card, network = read_bundle(path)
        if card.facts.objective not in SOLVED:
            raise DataError(
                path / "model.json", "a diffusion model", f"a {card.facts.objective}",
                "It draws without a solver: there is none to find.",
            )  # fmt: skip
        found = tune_model(
            Emulator(card, network),
            simulations,
            experiment.sampling,
            experiment.validation,
            maps_dir=maps_of(experiment, maps),
            state_dir=state or folder / ".state",
        )
        found.write(path)
        typer.echo(f"{path}\n{found.measured}\nsolver: {found.said}")
        if not found.within_budget:
            typer.secho(f"tune: WARNING: {found.advice}", fg="red", err=True)


def calibrate(
    config: Config,
    maps: MapsDir = None,
    results: Results = None,
    model: Models = None,
) -> None:
    """Fit the size of each model's noise, for `calibration: {enabled: true}` (calibration.json).

    On the validation split, so that the spread of members fits their error; weights and model card
    stay as they are.
    """
    from emulator.data.splits import read_splits
    from emulator.sampling.calibration.stage import calibrate as calibrate_model
    from emulator.sampling.loading import load_bundle

    experiment = read_config(config, twins_for="calibrate")
    if not experiment.calibration.enabled:
        raise DataError(
            f"{config}:calibration.enabled", "true", "false",
            "`emulator sample` would not draw with what is found: write `calibration: {enabled: "
            "true}`.",
        )  # fmt: skip
    folder = results_of(experiment, results)
    simulations = read_splits(folder / "splits.json")["validation"]
    if not simulations:
        raise DataError(
            f"{folder / 'splits.json'}:validation", "simulations to calibrate on", "none",
            "Set data.split.validation_fraction above 0 and run `emulator fit CONFIG` again.",
        )  # fmt: skip
    for path in bundles_of(experiment, folder, model):
        found = calibrate_model(
            load_bundle(path, calibrated=False),
            simulations,
            experiment.sampling,
            experiment.calibration,
            maps_dir=maps_of(experiment, maps),
        )
        found.write(path)
        typer.echo(f"{path}\n{found.measured}\ncalibration: {found.said}")


def info(
    folder: Annotated[Path, typer.Argument(help=OF_MODEL, **AS_MODEL)],
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole model card.")] = False,
) -> None:
    """Say what a bundle holds: network, channels, parameters, grid, training, what was found."""
    from emulator.model.bundle import bundles_in, describe, read_bundle
    from emulator.model.calibration import read_calibration
    from emulator.model.found_solver import read_found
    from emulator.model.validated import read_validated

    for path in bundles_in(folder):
        card, network = read_bundle(path)
        if as_json:
            typer.echo(card.model_dump_json(indent=2))
            continue
        found = read_found(path, card.weights_sha256)
        calibration = read_calibration(path, card.weights_sha256)
        validated = read_validated(path, card.weights_sha256)
        typer.echo(f"{path}\n{describe(card, network, found, calibration, validated)}")
