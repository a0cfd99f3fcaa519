"""The command line: one command a stage, each a few lines that unpack, call and print.

One file a group of commands; heavy imports are inside them, so that ``--help`` is quick. Folders
default to those of the workflow: ``data/raw/{name}``, ``data/processed/{name}/maps`` and
``results/{name}``, with the name of the config.
"""

import sys

import typer

from emulator.cli.audits import audit
from emulator.cli.boxes import paint, response
from emulator.cli.bundles import card, ship, show
from emulator.cli.config import cost, schema
from emulator.cli.ensembles import export, sample
from emulator.cli.inference import infer
from emulator.cli.model import calibrate, fit, info, regress, train, tune
from emulator.cli.power import power
from emulator.cli.results import compare, report, validate
from emulator.cli.suite import check, project, simulate
from emulator.cli.threads import spin_shortly_if_busy
from emulator.cli.trying import try_out
from emulator.cli.version import Version
from emulator.io import EmulatorError

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # square brackets in the help are defaults, not markup
    help="Learn how a dark-matter-only field maps to hydrodynamic ones, and draw ensembles.",
    epilog="The whole pipeline: snakemake --profile workflow/profiles/local",
)


@app.callback()
def before(version: Version = False) -> None:
    """Options that stand before a command."""


bundle = typer.Typer(no_args_is_help=True, help="Look at exported models, and hand them on.")
app.add_typer(bundle, name="bundle")

EXTRAS = {
    **dict.fromkeys(("dask", "distributed", "numba", "pytorch_lightning"), "pipeline"),
    "scoringrules": "pipeline",
    "sbi": "inference",
    **dict.fromkeys(("jinja2", "matplotlib"), "report"),
    **dict.fromkeys(("astropy", "zarr"), "formats"),
}
"""Packages that some commands need, and the extra that brings them."""

# in the order of --help
COMMANDS = (
    simulate, project, check, cost, export, fit, train, regress, tune, calibrate, sample, audit,
    paint, response, infer, power, validate, report, compare, schema,
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)
app.command("try")(try_out)
for look in (info, show, card, ship):
    bundle.command()(look)


def main() -> None:
    """Run the command line; a problem that the user can mend is one message and exit code 1."""
    spin_shortly_if_busy()
    try:
        app()
    except EmulatorError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        name = (error.name or "").split(".")[0]
        if name not in EXTRAS:
            raise
        typer.secho(
            f"error: this command needs the package {name}, which is not installed: pip install "
            f"'emulator-pipeline[{EXTRAS[name]}]' (in a checkout: pip install '.[{EXTRAS[name]}]')",
            fg="red",
            err=True,
        )
        sys.exit(1)
