"""Commands on ensembles: draw them, and write them for other codes."""

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.blocks import each, selected
from emulator.cli.options import (
    AS_PATH,
    Config,
    Manifest,
    MapsDir,
    Raw,
    Results,
    Split,
    maps_of,
    results_of,
)
from emulator.cli.trained import Models, bundles_of, load_as_drawn
from emulator.config import ensemble_file, maps_file, read_config


def sample(
    config: Config,
    simulation: Annotated[
        list[str] | None, typer.Option(help="Held-out simulation [whole split]; repeatable.")
    ] = None,
    split: Split = "test",
    raw: Raw = None,
    maps: MapsDir = None,
    results: Results = None,
    model: Models = None,
    manifest: Manifest = None,
) -> None:
    """Draw ensembles of held-out simulations (ensembles/SPLIT/SIMULATION.nc).

    Members that the file holds already are kept, if they are of the same model, solver and
    calibration.
    """
    from emulator.data.splits import read_splits
    from emulator.manifest import write_manifest
    from emulator.sampling.growth import grow_ensemble
    from emulator.sampling.held_out import response_options
    from emulator.suites import suite_of

    experiment = read_config(config, twins_for="sample")
    folder, maps_dir = results_of(experiment, results), maps_of(experiment, maps)
    members = read_splits(folder / "splits.json")[split]
    suite = suite_of(experiment, raw)
    bundles = bundles_of(experiment, folder, model)
    models = [
        load_as_drawn(path, calibrated=experiment.calibration.enabled, command="sample")
        for path in bundles
    ]
    files: list[Path] = []

    def sample_one(name: str) -> None:
        response_set = experiment.data.split.response_set_of(name)
        options, redraws = experiment.sampling, suite.redraws_of(name)
        if response_set is not None:
            # responses are differences of truths with one draw of the baryons
            options, redraws = response_options(options), []
        files.append(ensemble_file(folder, split, name))
        n_drawn = grow_ensemble(
            models,
            maps_file(maps_dir, name),
            [maps_file(maps_dir, redraw) for redraw in redraws],
            options,
            split=split,
            response_set=response_set,
            path=files[-1],
        )
        typer.echo(f"sample {name}: {n_drawn} members a window drawn")

    sampled = suite.sampled(members)
    each(selected(simulation, sampled, f"{split} simulation"), sample_one)
    if manifest is not None:
        write_manifest(manifest, files)


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
    from emulator.data.export import export_ensemble, export_windows

    if source.suffix == ".nc":
        files = export_ensemble(source, folder)
    else:
        files = export_windows(
            source,
            folder,
            window=window,
            context_factors=context or [2, 4],
            mass_threshold_msunh=mass,
            projection=axis,
        )
    typer.echo(f"{len(files)} samples in {folder}")
