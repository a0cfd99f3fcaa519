"""Command on what was painted, sampled or projected: its power spectra."""

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.options import AS_PATH
from emulator.io import EmulatorError


def power(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Painted box (.nc, .zarr, or folder of member_*.nc), ensemble (.nc), or maps "
            "(.h5).",
            parser=AS_PATH["parser"],
        ),
    ],
    output: Annotated[
        Path | None, typer.Option(help="Write all shells, too (.csv or .nc).", **AS_PATH)
    ] = None,
) -> None:
    """Say the power spectra of all fields, of total matter and of the condition.

    Means over members, windows or maps, with standard errors; what the edges of windows do to a
    spectrum is left in, and said.
    """
    if output is not None and output.suffix not in (".csv", ".nc"):
        raise EmulatorError(
            f"--output {output}: expected a table .csv or a NetCDF file .nc, got "
            f"{output.suffix or 'no suffix'}"
        )
    from emulator.io import write_dataset, write_text
    from emulator.sampling.power.measure import measure_power
    from emulator.sampling.power.table import to_csv, to_text

    found = measure_power(source)
    typer.echo(to_text(found))
    if output is None:
        return
    if output.suffix == ".csv":
        write_text(output, to_csv(found))
    else:
        write_dataset(found, output)
    typer.echo(output)
