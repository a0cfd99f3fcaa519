"""One map of a maps file, small enough to lie beside a model: an example of what it is given."""

from pathlib import Path
from typing import Any

from emulator.data.maps import Maps, read_maps
from emulator.io import DataError, read_dataset, write_dataset

EXAMPLE_FILE = "example.h5"
"""Name of the file in the folder of a bundle."""


def write_example(source: str | Path, output: str | Path, projection: str | None = None) -> None:
    """Write a maps file of one projection, compressed; all of its fields, halos and attributes.

    Parameters
    ----------
    source
        ``maps/{simulation}.h5`` of a periodic box.
    output
        The new file.
    projection
        Label of the map; default: the first.

    Raises
    ------
    DataError
        A damaged file, ready windows, or a projection that it does not hold.
    """
    maps = read_maps(source, lazy=True)
    if not maps.periodic:
        raise DataError(source, "maps of a whole box", "ready windows")
    label = maps.projections[0] if projection is None else projection
    if label not in maps.projections:
        raise DataError(f"{source}:projection", repr(label), f"only {', '.join(maps.projections)}")
    cut = read_dataset(source).isel(projection=[maps.projections.index(label)])
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in cut.variables.items():
        variable.encoding = {}
        if variable.dtype.kind == "f":
            packed = {"zlib": True, "complevel": 9, "shuffle": True} if variable.size > 1 else {}
            encoding[str(name)] = {"_FillValue": None, **packed}
    write_dataset(cut, output, encoding=encoding)


def read_example(folder: str | Path) -> Maps:
    """Maps of the example beside a bundle.

    Raises
    ------
    DataError
        If there is none, or it is damaged.
    """
    path = Path(folder) / EXAMPLE_FILE
    if not path.is_file():
        raise DataError(
            path, "the example of the model", "no such file",
            "The shipped reference has one; `emulator bundle ship` writes it.",
        )  # fmt: skip
    return read_maps(path)
