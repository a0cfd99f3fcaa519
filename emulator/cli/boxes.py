"""Commands on whole boxes: paint them, and say what parameters do to them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from emulator.cli.options import AS_MODEL, AS_PATH, OF_MODEL, Manifest, pairs
from emulator.cli.sums import Constraint, read_constraints
from emulator.io import EmulatorError

Model = Annotated[Path, typer.Argument(help=OF_MODEL, **AS_MODEL)]
Source = Annotated[
    Path,
    typer.Argument(
        help="Maps file (.h5), DMO snapshot (.hdf5), or one DMO map (.npy, .zarr, .nc).", **AS_PATH
    ),
]
Param = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="Parameter [of the maps file]; repeatable."),
]
Projection = Annotated[
    str | None, typer.Option(help="Which map: the axis that is summed [the first].")
]
Seed = Annotated[int, typer.Option(min=0, help="Of the ensemble.")]
OutOfRange = Annotated[
    Literal["raise", "warn"], typer.Option(help="Parameters or densities beyond training.")
]


def paint(
    model: Model,
    source: Source,
    output: Annotated[
        Path,
        typer.Option(
            help="Folder of member_NNNNN.nc, or one file BOX.zarr, BOX.nc or BOX.fits; members "
            "that are there are kept.",
            **AS_PATH,
        ),
    ],
    param: Param = None,
    projection: Projection = None,
    members: Annotated[int, typer.Option(min=1, help="How many.")] = 8,
    first_member: Annotated[int, typer.Option(min=0, help="Number of the first.")] = 0,
    seed: Seed = 0,
    overlap: Annotated[
        float, typer.Option(help="Share of a window that the next one covers again.")
    ] = 0.5,
    noise_of: Annotated[
        str | None, typer.Option(help="Name of the noise, shared by boxes of one name [the map].")
    ] = None,
    open_edges: Annotated[
        bool, typer.Option(help="The map is a patch: opposite edges do not touch.")
    ] = False,
    origin: Annotated[
        tuple[int, int], typer.Option(help="Row and column of its box that the map begins with.")
    ] = (0, 0),
    out_of_range: OutOfRange = "raise",
    slabs: Annotated[
        bool, typer.Option(help="All slabs along the axis --projection, at once.")
    ] = False,
    drop_remainder: Annotated[
        bool, typer.Option(help="Leave out the end of a box that is no whole slab.")
    ] = False,
    mode: Annotated[
        Literal["blend", "halos"], typer.Option(help="Windows of the whole box, or around halos.")
    ] = "blend",
    mass_threshold: Annotated[
        float | None, typer.Option(help="Of mode halos: least M200c [1e13 Msun/h].")
    ] = None,
    r_in: Annotated[
        float | None, typer.Option(help="Of mode halos: where windows begin to fade [2.5 R200c].")
    ] = None,
    r_out: Annotated[
        float | None, typer.Option(help="Of mode halos: where windows end [3 R200c].")
    ] = None,
    constraint: Constraint = None,
    only_summary: Annotated[
        bool, typer.Option(help="Keep mean and standard deviation alone (in a folder: summary.nc).")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Draw as its sections sampling and calibration say [as the model was judged, or "
            "defaults].",
            **AS_PATH,
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option(help="Paint members of another model or setting again (in a folder).")
    ] = False,
    manifest: Manifest = None,
) -> None:
    """Paint a whole dark-matter-only box; what is finished is kept, member by member.

    Members do not depend on how they are shared among jobs: give each its --first-member, and one
    folder or BOX.zarr.
    """
    from emulator.config import read_config
    from emulator.manifest import write_manifest
    from emulator.sampling.loading import load
    from emulator.sampling.painting.modes import build_painter
    from emulator.sampling.painting.outputs import (
        files_of,
        paint_into,
        require_output,
        summarise_into,
    )

    constraints = read_constraints(constraint)
    require_output(output, only_summary=only_summary, replace=replace)
    # without a config as the model was judged
    said = None if config is None else read_config(config)
    painter = build_painter(
        load(model, calibrated=None if said is None else said.calibration.enabled),
        source, _parameters(param), mode=mode, slabs=slabs,
        drop_remainder=drop_remainder,
        of_halos={"mass_threshold": mass_threshold, "r_in": r_in, "r_out": r_out},
        constraints=constraints, projection=projection, seed=seed, overlap=overlap,
        periodic=False if open_edges else None, origin=origin, noise_of=noise_of,
        out_of_range=out_of_range,
        sampling=None if said is None else said.sampling,
    )  # fmt: skip
    numbers = range(first_member, first_member + members)
    if only_summary:
        typer.echo(summarise_into(painter, numbers, output))
        return
    painted = paint_into(painter, numbers, output, replace=replace)
    if manifest is not None:
        write_manifest(manifest, files_of(output, numbers))
    typer.echo(f"{output}: {painted} members painted, {members - painted} were there")


def response(
    model: Model,
    source: Source,
    vary: Annotated[
        list[str], typer.Option(metavar="NAME=V1,V2", help="Values of a parameter; repeatable.")
    ],
    output: Annotated[Path, typer.Option(help="File of the responses (.nc).", **AS_PATH)],
    param: Param = None,
    projection: Projection = None,
    members: Annotated[int, typer.Option(min=2, help="How many, with common noise.")] = 4,
    seed: Seed = 0,
    out_of_range: OutOfRange = "raise",
) -> None:
    """Say what parameters do to mass, variance and power of a box, by a model.

    One parameter at a time, everything else held, the noise of every member included.
    """
    from emulator.io import write_dataset
    from emulator.sampling.loading import load

    asked = {name: _numbers(text, name) for name, text in pairs(vary, "--vary", "A_SN1=0.5,2")}
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


def _numbers(text: str, name: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise EmulatorError(f"{name}: expected numbers, got {text!r}") from error


def _parameters(given: list[str] | None) -> dict[str, float] | None:
    """Values by name; None where none is given."""
    found = {}
    for name, text in pairs(given or [], "--param", "Omega_m=0.3"):
        values = _numbers(text, f"--param {name}")
        if len(values) > 1:
            raise EmulatorError(f"--param {name}: expected one number, got {text!r}")
        found[name] = values[0]
    return found or None
