"""Commands on exported models beside `info`: what they say of themselves, and their page."""

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.options import AS_PATH

Bundles = Annotated[
    Path, typer.Argument(help="A bundle, or a folder of bundles: results/NAME/model.", **AS_PATH)
]


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
