"""What the command lines of benchmarks that train share: common options, and how they end."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from emulator.io import EmulatorError


def answer(work: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> None:
    """Do the work; a fault that the user can mend, or Ctrl-C, is a sentence and an exit code."""
    try:
        work(options)
    except EmulatorError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: the same command goes on")


def add_places(parser: argparse.ArgumentParser, *, results: Path, page: Path) -> None:
    """Options that say where things lie, and whether anything is run."""
    parser.add_argument("--results", type=Path, default=results)
    parser.add_argument("--maps", type=Path, help="[data/processed/NAME/maps]")
    parser.add_argument("--raw", type=Path, help="folder of the suite [as the config says]")
    parser.add_argument("--page", type=Path, default=page, help="what is written [%(default)s]")
    parser.add_argument(
        "--table-only", action="store_true", help="write the page of what has run; run nothing"
    )
