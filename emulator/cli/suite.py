"""Commands on a suite of simulations: make it, check it, project it."""

from typing import Annotated, Literal

import typer

from emulator.cli.blocks import each, selected
from emulator.cli.options import (
    AsJson,
    Config,
    Manifest,
    MapsDir,
    Raw,
    Redraws,
    maps_of,
)
from emulator.config import block_name, maps_file, read_config


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
    from emulator.suites import suite_of

    experiment = read_config(config)
    suite = suite_of(experiment, raw)
    files = suite.write_tables()

    def simulate_one(name: str) -> None:
        files.extend(suite.simulate(name, n_redraws=redraw_baryons))

    each(selected(run, list(suite.runs), "run"), simulate_one)
    if manifest is not None:
        write_manifest(manifest, files)


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
    from emulator.manifest import write_manifest
    from emulator.progress import track
    from emulator.suites import suite_of
    from emulator.suites.mapmaking import project_simulation

    experiment = read_config(config)
    suite, folder = suite_of(experiment, raw), maps_of(experiment, maps)
    chosen = selected(run, list(suite.runs), "run")
    simulations = [simulation for name in chosen for simulation in suite.runs[name]]
    names = [(simulation, 0) for simulation in simulations]
    names += [
        (simulation, redraw + 1)
        for simulation in suite.sampled(simulations)
        for redraw in range(redraw_baryons)
    ]
    files = []

    def project_one(name: tuple[str, int]) -> None:
        simulation, redraw = name
        files.append(maps_file(folder, simulation, redraw))
        project_simulation(
            suite, experiment.data, simulation, files[-1], redraw=redraw, workers=workers
        )

    each(track(names, f"project {block_name(chosen)}", len(names)), project_one)
    if manifest is not None:
        write_manifest(manifest, files)


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
    result = check_suite(experiment, raw, particles=particles)
    typer.echo(json.dumps(to_json(result), indent=2) if as_json else to_text(result))
    if result.n_errors:
        raise typer.Exit(1)
