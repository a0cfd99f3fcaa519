"""``emulator --version``: what is installed, and from which commit."""

from typing import Annotated

import typer

from emulator.metadata import VERSION, commit


def _print_version(asked: bool) -> None:
    """Print ``emulator VERSION``, in a git checkout with its commit, and end."""
    if not asked:
        return
    found = commit()
    typer.echo(f"emulator {VERSION} (commit {found})" if found else f"emulator {VERSION}")
    raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version",
        callback=_print_version,
        is_eager=True,
        help="Print version and commit, and exit.",
    ),
]
