"""The command line: one command a stage, each a few lines that unpack, call and print.

Folders default to those of the workflow: ``data/raw/{name}``, ``data/processed/{name}/maps`` and
``results/{name}``, with the name of the config.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from emulator.config import (
    ExperimentConfig,
    block_name,
    bundle_folder,
    ensemble_file,
    json_schema,
    maps_file,
    maps_folder,
    raw_folder,
    read_config,
    results_folder,
)
from emulator.config.section import expand_path
from emulator.io import EmulatorError

Name = TypeVar("Name")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # square brackets in the help are defaults, not markup
    help="Learn how a dark-matter-only field maps to hydrodynamic ones, and draw ensembles.",
    epilog="The whole pipeline: snakemake --profile workflow/profiles/local",
)

bundle = typer.Typer(no_args_is_help=True, help="Look at exported models.")
app.add_typer(bundle, name="bundle")


def _path(text: str) -> Path:
    """A path as the user means it: ``--raw=~/data`` reaches us as it is written."""
    return Path(expand_path(text))


AS_PATH: dict[str, Any] = {"parser": _path, "metavar": "PATH"}
Config = Annotated[
    Path, typer.Argument(help="Config file (configs/*.yaml) or a stage's own.", **AS_PATH)
]
Raw = Annotated[
    Path | None, typer.Option(help="Folder of the suite [data/raw/NAME, or suite.root].", **AS_PATH)
]
MapsDir = Annotated[
    Path | None, typer.Option(help="Folder of maps [data/processed/NAME/maps].", **AS_PATH)
]
Results = Annotated[Path | None, typer.Option(help="Folder of results [results/NAME].", **AS_PATH)]
Split = Annotated[Literal["train", "validation", "test"], typer.Option(help="Which simulations.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Redraws = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        help="Also N more hydro outcomes of each simulation: same dark matter, same parameters, "
        "other baryons.",
    ),
]
Manifest = Annotated[
    Path | None, typer.Option(help="List what was written in this file.", **AS_PATH)
]


@app.command()
def simulate(
    config: Config,
    run: Annotated[
        list[str] | None, typer.Option(help="Run to simulate [all]; repeatable.")
    ] = None,
    redraw_baryons: Redraws = 0,
    raw: Raw = None,
    manifest: Manifest = None,
) -> None:
    """Run the embedded suite: N-body gravity, halos, surrogate hydro; writes snapshots."""
    from emulator.manifest import write_manifest
    from emulator.simulate.simulate import simulate_run, write_tables

    experiment = read_config(config)
    suite, root = experiment.suite, _raw(experiment, raw)
    if suite.kind != "embedded":
        raise EmulatorError(f"{config}: suite.kind is {suite.kind!r}; only 'embedded' is simulated")
    files = write_tables(suite, root)

    def simulate_one(name: str) -> None:
        files.extend(simulate_run(suite, name, root, n_redraws=redraw_baryons))

    _each(_known(run, list(suite.runs()), "run"), simulate_one)
    if manifest is not None:
        write_manifest(manifest, files)


@app.command()
def project(
    config: Config,
    run: Annotated[list[str] | None, typer.Option(help="Run to project [all]; repeatable.")] = None,
    redraw_baryons: Redraws = 0,
    workers: Annotated[
        int, typer.Option(min=1, help="Threads or processes (data.scheduler) a snapshot.")
    ] = 1,
    raw: Raw = None,
    maps: MapsDir = None,
    manifest: Manifest = None,
) -> None:
    """Project snapshots to periodic full-box maps (maps/SIMULATION.h5, SIMULATION_redraw_N.h5)."""
    from emulator.data.splits import sampled_simulations
    from emulator.manifest import write_manifest
    from emulator.progress import track
    from emulator.suites.mapmaking import project_simulation
    from emulator.suites.runs import runs_of

    experiment = read_config(config)
    suite, root, folder = experiment.suite, _raw(experiment, raw), _maps(experiment, maps)
    runs = runs_of(suite, root)
    chosen = _known(run, list(runs), "run")
    simulations = [simulation for name in chosen for simulation in runs[name]]
    names = [(simulation, 0) for simulation in simulations]
    names += [
        (simulation, redraw + 1)
        for simulation in sampled_simulations(simulations, suite)
        for redraw in range(redraw_baryons)
    ]
    files = []

    def project_one(name: tuple[str, int]) -> None:
        simulation, redraw = name
        files.append(maps_file(folder, simulation, redraw))
        project_simulation(
            suite, experiment.data, root, simulation, files[-1], redraw=redraw, workers=workers
        )

    _each(track(names, f"project {block_name(chosen)}", len(names)), project_one)
    if manifest is not None:
        write_manifest(manifest, files)


@app.command()
def check(
    config: Config,
    raw: Raw = None,
    particles: Annotated[
        Literal["none", "first", "all"],
        typer.Option(help="Whose particles are read; first: those of the first of each set."),
    ] = "first",
    as_json: AsJson = False,
) -> None:
    """Explain what is wrong with a suite's files, and what they need, before any job is queued."""
    import json

    from emulator.checks.report import to_json, to_text
    from emulator.checks.run import check_suite

    experiment = read_config(config)
    result = check_suite(experiment, _raw(experiment, raw), particles=particles)
    typer.echo(json.dumps(to_json(result), indent=2) if as_json else to_text(result))
    if result.n_errors:
        raise typer.Exit(1)


@app.command()
def cost(
    config: Config,
    raw: Raw = None,
    results: Results = None,
    gpu_tflops: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="TFLOP/s that a network reaches on the cluster's GPU (a quarter of its bf16 peak, "
            "say), if there is none here [the device of this machine].",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Predict jobs, core-hours, GPU-hours, memory and disk, from short probes, before any job.

    The prediction is kept as RESULTS/cost.json, and the report compares it with what was used.
    """
    import json

    from emulator.cost.predict import predict
    from emulator.cost.table import to_json, to_text
    from emulator.io import write_json

    experiment = read_config(config)
    prediction = predict(experiment, _raw(experiment, raw), gpu_tflops=gpu_tflops)
    document = to_json(prediction)
    write_json(_results(experiment, results) / "cost.json", document)
    typer.echo(json.dumps(document, indent=2) if as_json else to_text(prediction))


@app.command()
def export(
    source: Annotated[
        Path, typer.Argument(help="maps/SIMULATION.h5 or ensembles/.../*.nc.", **AS_PATH)
    ],
    folder: Annotated[Path, typer.Argument(help="Where the .npz samples are written.", **AS_PATH)],
    window: Annotated[int, typer.Option(help="Pixels a side (maps).")] = 128,
    context: Annotated[list[int] | None, typer.Option(help="Context factor; repeatable.")] = None,
    mass: Annotated[float, typer.Option(help="Least M200c of a halo [Msun/h] (maps).")] = 1e13,
    axis: Annotated[str, typer.Option(help="Line of sight: x, y or z (maps).")] = "z",
) -> None:
    """Write windows of halos, or the members of an ensemble, as .npz samples that BIND reads."""
    from emulator.data.export import export_ensemble, export_samples

    if source.suffix == ".nc":
        files = export_ensemble(source, folder)
    else:
        files = export_samples(
            source,
            folder,
            window=window,
            context_factors=context or [2, 4],
            mass_threshold_msunh=mass,
            projection=axis,
        )
    typer.echo(f"{len(files)} samples in {folder}")


@app.command()
def fit(config: Config, raw: Raw = None, maps: MapsDir = None, results: Results = None) -> None:
    """Split the suite by run and fit the statistics of the training split."""
    from emulator.data.splits import split_runs
    from emulator.io import write_json
    from emulator.model.fit import fit_normalisation
    from emulator.suites.runs import runs_of

    experiment = read_config(config)
    folder, output = _maps(experiment, maps), _results(experiment, results)
    runs = runs_of(experiment.suite, _raw(experiment, raw))
    splits = split_runs(runs, experiment.data.split)
    paths = [maps_file(folder, name) for name in splits["train"]]
    normalisation = fit_normalisation(
        paths, experiment.channels, experiment.model.params, experiment.data.context_factors
    )
    write_json(output / "splits.json", splits)
    normalisation.write(output / "normalisation.json")
    typer.echo(", ".join(f"{len(names)} {split}" for split, names in splits.items()))


@app.command()
def train(
    config: Config,
    maps: MapsDir = None,
    results: Results = None,
    seed: Annotated[
        list[int] | None, typer.Option(min=0, help="Seed [training.seeds]; repeatable.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="Folder of resume states [RESULTS/.state].", **AS_PATH)
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the bundles seed_N [RESULTS/model].", **AS_PATH)
    ] = None,
) -> None:
    """Train a model for each seed, or go on training it, and export the bundles."""
    from emulator.data.splits import read_splits
    from emulator.model.normalisation import Normalisation
    from emulator.training.trainer import train as train_model

    experiment = read_config(config)
    folder = _results(experiment, results)
    normalisation = Normalisation.read(folder / "normalisation.json")
    splits = read_splits(folder / "splits.json")
    for number in seed or experiment.training.seeds:
        train_model(
            experiment,
            normalisation,
            splits,
            seed=number,
            maps_dir=_maps(experiment, maps),
            state_dir=state or folder / ".state",
            output=bundle_folder(output or folder / "model", number),
        )


@app.command()
def sample(
    config: Config,
    simulation: Annotated[
        list[str] | None, typer.Option(help="Held-out simulation [whole split]; repeatable.")
    ] = None,
    split: Split = "test",
    raw: Raw = None,
    maps: MapsDir = None,
    results: Results = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(help="Bundle, or folder of bundles [RESULTS/model]; repeatable.", **AS_PATH),
    ] = None,
    manifest: Manifest = None,
) -> None:
    """Draw ensembles of held-out simulations (ensembles/SPLIT/SIMULATION.nc).

    Members that the file holds already are kept, if they are of the same model and solver.
    """
    from emulator.data.splits import read_splits, redraws_of, sampled_simulations
    from emulator.manifest import write_manifest
    from emulator.model.bundle import bundles_in
    from emulator.sampling.growth import grow_ensemble
    from emulator.sampling.loading import load_bundle
    from emulator.suites.runs import runs_of

    experiment = read_config(config)
    folder, maps_dir = _results(experiment, results), _maps(experiment, maps)
    members = read_splits(folder / "splits.json")[split]
    runs = runs_of(experiment.suite, _raw(experiment, raw))
    bundles = [path for given in model or [folder / "model"] for path in bundles_in(given)]
    models, files = [load_bundle(path) for path in bundles], []

    def sample_one(name: str) -> None:
        redraws = redraws_of(name, runs, experiment.suite)
        files.append(ensemble_file(folder, split, name))
        n_drawn = grow_ensemble(
            models,
            maps_file(maps_dir, name),
            [maps_file(maps_dir, redraw) for redraw in redraws],
            experiment.sampling,
            split=split,
            path=files[-1],
        )
        typer.echo(f"sample {name}: {n_drawn} members a window drawn")

    sampled = sampled_simulations(members, experiment.suite)
    _each(_known(simulation, sampled, f"{split} simulation"), sample_one)
    if manifest is not None:
        write_manifest(manifest, files)


@app.command()
def validate(
    config: Config,
    split: Split = "test",
    maps: MapsDir = None,
    results: Results = None,
) -> None:
    """Compare ensembles with the truth and with baselines (metrics.nc, acceptance.json)."""
    from emulator.data.splits import read_splits, sampled_simulations
    from emulator.validation.evaluate import validate as validate_ensembles

    experiment = read_config(config)
    folder = _results(experiment, results)
    splits = read_splits(folder / "splits.json")
    sampled = sampled_simulations(splits[split], experiment.suite)
    validate_ensembles(
        [ensemble_file(folder, split, name) for name in sampled],
        _maps(experiment, maps),
        splits,
        experiment.validation,
        metrics_path=folder / "metrics.nc",
        acceptance_path=folder / "acceptance.json",
    )


@app.command()
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
    folder = _results(experiment, results)
    page = output or folder / "report.html"
    build_report(folder, page, maps_dir=_maps(experiment, maps))
    typer.echo(f"report: {page}")


@bundle.command()
def info(
    folder: Annotated[
        Path,
        typer.Argument(help="A bundle, or a folder of bundles: results/NAME/model.", **AS_PATH),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole model card.")] = False,
) -> None:
    """Say what a bundle holds: network, channels, parameters, grid, training, provenance."""
    from emulator.model.bundle import bundles_in, describe, read_bundle

    for path in bundles_in(folder):
        card, network = read_bundle(path)
        typer.echo(
            card.model_dump_json(indent=2) if as_json else f"{path}\n{describe(card, network)}"
        )


@app.command()
def schema(
    output: Annotated[
        Path | None, typer.Option(help="File to write [standard output].", **AS_PATH)
    ] = None,
) -> None:
    """Write the JSON schema of the config, as YAML.

    It lists every key with its type, default and meaning; editors check and complete configs with
    it.
    """
    import yaml

    from emulator.io import write_text

    text = yaml.safe_dump(json_schema(), sort_keys=False, width=100)
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_text(output, text)


def main() -> None:
    """Run the command line; a problem that the user can mend is one message and exit code 1."""
    try:
        app()
    except EmulatorError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(error.exit_code)


def _raw(experiment: ExperimentConfig, folder: Path | None) -> Path:
    if experiment.suite.kind != "embedded":
        return folder or Path(experiment.suite.root)
    return folder or raw_folder(experiment.name)


def _maps(experiment: ExperimentConfig, folder: Path | None) -> Path:
    return folder or maps_folder(experiment.name)


def _results(experiment: ExperimentConfig, folder: Path | None) -> Path:
    return folder or results_folder(experiment.name)


def _each(names: Iterable[Name], work: Callable[[Name], None]) -> None:
    """Do all of a block even where some fails: one bad file costs one file, not the block."""
    faults = []
    for name in names:
        try:
            work(name)
        except EmulatorError as error:
            faults.append(error)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        lines = "\n".join(f"  {error}" for error in faults)
        raise EmulatorError(f"{len(faults)} of them failed, the others are done:\n{lines}")


def _known(chosen: list[str] | None, known: list[str], what: str) -> list[str]:
    unknown = [name for name in chosen or [] if name not in known]
    if unknown:
        raise EmulatorError(f"no such {what}: {unknown}; there are {', '.join(known)}")
    return chosen or known
