"""Tables of parameters that come with the package: ranges of CAMELS.

Users read them in ``data/parameters`` of a checkout, and configs name them there. In a wheel they
lie inside of the package (``emulator/parameters``), so that the same config works in any folder.
"""

from pathlib import Path

HERE = Path("data/parameters")
"""Where configs name them, below the working directory."""

SHIPPED = Path(__file__).parents[2] / "parameters"
"""Where they lie in the package."""


def found_table(path: Path) -> Path:
    """The path itself; a table of ``data/parameters`` that is not there, as the package has it.

    A file of the working directory always comes first. A table that the package does not have keeps
    its path, which whoever reads it refuses by name.
    """
    shipped = SHIPPED / path.name
    if path.parent != HERE or path.exists() or not shipped.is_file():
        return path
    return shipped
