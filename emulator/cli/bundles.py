"""Commands on exported models beside `info`: what they say, their page, and handing them on."""

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.options import AS_MODEL, AS_PATH, OF_MODEL

Bundles = Annotated[Path, typer.Argument(help=OF_MODEL, **AS_MODEL)]


def show(folder: Bundles) -> None:
    """Say in a few lines what a model draws, from what and with what, as Python shows it."""
    from emulator.model.bundle import bundles_in, read_card
    from emulator.sampling.loading import load
    from emulator.sampling.regression import Regression

    first, *_ = bundles_in(folder)
    is_mean = read_card(first).facts.objective == "regression"
    typer.echo(repr(Regression.read(first) if is_mean else load(folder)))


def card(
    folder: Bundles,
    stdout: Annotated[bool, typer.Option("--stdout", help="Print it; write nothing.")] = False,
) -> None:
    """Write the page of each model (README.md in its bundle), as hubs of models read it."""
    from emulator.model.bundle import bundles_in
    from emulator.model.page import read_page, write_page

    for path in bundles_in(folder):
        typer.echo(read_page(path) if stdout else write_page(path))


def ship(
    source: Annotated[
        Path, typer.Argument(help="The bundle: results/NAME/model/seed_0.", **AS_PATH)
    ],
    output: Annotated[Path, typer.Option(help="Folder of the new bundle.", **AS_PATH)],
    example: Annotated[
        Path,
        typer.Option(
            help="Maps file of a held-out simulation: one of its maps goes along as an example, "
            "and its windows are what both models draw.",
            **AS_PATH,
        ),
    ],
    projection: Annotated[
        str | None, typer.Option(help="Which map: the axis that is summed [the first].")
    ] = None,
    members: Annotated[int, typer.Option(min=1, help="Compared, of each window.")] = 12,
    single: Annotated[
        bool, typer.Option("--single", help="Keep weights in single precision, at twice the size.")
    ] = False,
) -> None:
    """Write a bundle that is fit to be handed on: averaged weights in half precision.

    With all that was found for them, the page and an example. Both models draw the same windows;
    if spectra of members differ by more than 0.1 %, or files have more than 10 MB, there is none.
    """
    from emulator.sampling.shipping import ship as ship_bundle

    shipped = ship_bundle(source, output, example, projection, members, half=not single)
    differ = ", ".join(f"{name} {error:.3%}" for name, error in shipped.spectrum_error.items())
    typer.echo(
        f"{output}: {shipped.size / 1e6:.2f} MB, weights in {shipped.precision} (to "
        f"{shipped.weight_error:.3%})\nspectra of members differ by at most: {differ}"
    )
