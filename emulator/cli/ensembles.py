"""Commands on ensembles: draw them, paint boxes, and write them for other codes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
from emulator.config import ensemble_file, maps_file, read_config
from emulator.io import DataError, EmulatorError

if TYPE_CHECKING:
    from emulator.sampling.ensemble import Emulator


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

    Members that the file holds already are kept, if they are of the same model, solver and
    calibration.
    """
    from emulator.data.splits import read_splits
    from emulator.manifest import write_manifest
    from emulator.model.bundle import bundles_in
    from emulator.sampling.growth import grow_ensemble
    from emulator.sampling.held_out import response_options
    from emulator.suites import suite_of

    experiment = read_config(config)
    folder, maps_dir = results_of(experiment, results), maps_of(experiment, maps)
    members = read_splits(folder / "splits.json")[split]
    suite = suite_of(experiment, raw)
    bundles = [path for given in model or [folder / "model"] for path in bundles_in(given)]
    models = [_load(path, calibrated=experiment.calibration.enabled) for path in bundles]
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


def _load(path: Path, *, calibrated: bool) -> "Emulator":
    """A model that draws as the config says.

    Raises
    ------
    DataError
        If it should be calibrated and is not.
    """
    from emulator.model.calibration import CALIBRATION_FILE
    from emulator.sampling.loading import load_bundle

    file = path / CALIBRATION_FILE
    if calibrated and not file.is_file():
        raise DataError(
            file, "the calibration of the model, as calibration.enabled says", "no such file",
            "Run `emulator calibrate CONFIG` (the workflow does), or set it to false.",
        )  # fmt: skip
    if not calibrated and file.is_file():
        typer.echo(f"sample: {file} is left out, as calibration.enabled is false", err=True)
    return load_bundle(path, calibrated=calibrated)


def paint(
    model: Annotated[
        Path, typer.Argument(help="Bundle, or folder of bundles: results/NAME/model.", **AS_PATH)
    ],
    source: Annotated[
        Path, typer.Argument(help="Maps file (.h5), or one DMO map (y, x) as .npy.", **AS_PATH)
    ],
    output: Annotated[
        Path, typer.Option(help="Folder of member_NNNNN.nc; those there are kept.", **AS_PATH)
    ],
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Parameter [of the maps file]; repeatable."),
    ] = None,
    projection: Annotated[
        str | None, typer.Option(help="Which map of a maps file [the first].")
    ] = None,
    members: Annotated[int, typer.Option(min=1, help="How many.")] = 8,
    first_member: Annotated[int, typer.Option(min=0, help="Number of the first.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the ensemble.")] = 0,
    overlap: Annotated[
        float, typer.Option(help="Share of a window that the next one covers again.")
    ] = 0.5,
    noise_of: Annotated[
        str | None, typer.Option(help="Name of the noise, shared by boxes of one name [the map].")
    ] = None,
    out_of_range: Annotated[
        Literal["raise", "warn"], typer.Option(help="Parameters or densities beyond training.")
    ] = "raise",
    only_summary: Annotated[
        bool, typer.Option(help="Keep mean and standard deviation alone (summary.nc).")
    ] = False,
) -> None:
    """Paint a whole dark-matter-only box, a file a member.

    Members do not depend on how they are shared among jobs: give each its --first-member.
    """
    from emulator.sampling.loading import load
    from emulator.sampling.painting.folder import paint_folder, paint_summary
    from emulator.sampling.painting.painter import Painter

    painter = Painter(
        load(model), source, _parameters(param), projection=projection, seed=seed,
        overlap=overlap, noise_of=noise_of, out_of_range=out_of_range,
    )  # fmt: skip
    numbers = range(first_member, first_member + members)
    if only_summary:
        typer.echo(paint_summary(painter, numbers, output))
        return
    painted = paint_folder(painter, numbers, output)
    typer.echo(f"{output}: {painted} members painted, {members - painted} were there")


def response(
    model: Annotated[
        Path, typer.Argument(help="Bundle, or folder of bundles: results/NAME/model.", **AS_PATH)
    ],
    source: Annotated[
        Path, typer.Argument(help="Maps file (.h5), or one DMO map (y, x) as .npy.", **AS_PATH)
    ],
    vary: Annotated[
        list[str], typer.Option(metavar="NAME=V1,V2", help="Values of a parameter; repeatable.")
    ],
    output: Annotated[Path, typer.Option(help="File of the responses (.nc).", **AS_PATH)],
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Parameter [of the maps file]; repeatable."),
    ] = None,
    projection: Annotated[
        str | None, typer.Option(help="Which map of a maps file [the first].")
    ] = None,
    members: Annotated[int, typer.Option(min=2, help="How many, with common noise.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Of the ensemble.")] = 0,
    out_of_range: Annotated[
        Literal["raise", "warn"], typer.Option(help="Parameters or densities beyond training.")
    ] = "raise",
) -> None:
    """Say what parameters do to mass, variance and power of a box, by a model.

    One parameter at a time, everything else held, the noise of every member included.
    """
    from emulator.io import write_dataset
    from emulator.sampling.loading import load

    asked = {name: _numbers(text, name) for name, text in _pairs(vary, "--vary", "A_SN1=0.5,2")}
    found = load(model).response(
        source, _parameters(param), vary=asked, projection=projection, n_members=members,
        seed=seed, out_of_range=out_of_range, progress=True,
    )  # fmt: skip
    write_dataset(found, output)
    typer.echo("change of the logarithm, of the total mass and of the variance of pixels")
    for point in range(found.sizes["point"]):
        here = found.isel(point=point)
        cells = [
            f"{name} {float(change):+.3f} ± {float(error):.3f}"
            for what in ("mass", "variance")
            for name, change, error in zip(
                here["channel"].values, here[f"{what}_response"], here[f"{what}_error"], strict=True
            )
        ]
        typer.echo(f"{here['parameter'].item()} = {float(here['value']):g}: {', '.join(cells)}")
    typer.echo(output)


def _pairs(given: list[str], option: str, example: str) -> list[tuple[str, str]]:
    """Names and what is behind the sign of equality, each name once."""
    pairs = [tuple(text.partition("=")[::2]) for text in given]
    for text, (name, value) in zip(given, pairs, strict=True):
        if not name or not value or sum(other == name for other, _ in pairs) > 1:
            raise EmulatorError(
                f"{option}: expected NAME=VALUE, each name once, got {text!r}; as in {option} "
                f"{example}"
            )
    return [(name, value) for name, value in pairs]


def _numbers(text: str, name: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise EmulatorError(f"{name}: expected numbers, got {text!r}") from error


def _parameters(given: list[str] | None) -> dict[str, float] | None:
    """Values by name; None where none is given."""
    found = {}
    for name, text in _pairs(given or [], "--param", "Omega_m=0.3"):
        values = _numbers(text, f"--param {name}")
        if len(values) > 1:
            raise EmulatorError(f"--param {name}: expected one number, got {text!r}")
        found[name] = values[0]
    return found or None


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
