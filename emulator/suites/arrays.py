"""Suites of arrays: all rows of a simulation become one maps file, a projection each."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulator.config import ArraysSuite, DataConfig, set_of
from emulator.domain import Domain
from emulator.fields import Field
from emulator.io import DataError, checked_values
from emulator.readers.array_files import ArrayFile, Rows, open_array_file
from emulator.readers.catalogs import Halos
from emulator.suites.base import FLOAT_BYTES, Probe
from emulator.suites.existing import ExistingSuite
from emulator.suites.findings import Inspection, Level
from emulator.suites.full_maps import FullMaps, below
from emulator.suites.timing import probe_reading

CONVENTIONS = (
    "each projection is a row of the file, whole; pixel i covers [i, i+1) * pixel along its axis"
)


class Arrays(ExistingSuite):
    """Named fields of any domain, in files of arrays."""

    config: ArraysSuite
    has_tables = False

    def inputs(self, data: DataConfig, simulation: str) -> list[Path]:
        """The file of the simulation, or of its set; see :meth:`Suite.inputs`."""
        return [self.config.path("files", self.root, simulation)]

    def sources(self, data: DataConfig, simulation: str) -> list[Path]:
        """See :meth:`Suite.sources`."""
        return self.inputs(data, simulation)

    def n_projections(self, data: DataConfig) -> int:
        """Unknown before the files are looked at, unless the config divides them."""
        return self.config.rows_per_simulation or 0

    def maps_bytes(self, data: DataConfig, facts: Mapping[str, Any] | None = None) -> float:
        """Of the rows that were found."""
        n_rows = int((facts or {}).get("rows", self.n_projections(data)))
        layers = len(self.config.conditions) + len(data.fields)
        rows, columns = data.window_shape
        return float(n_rows * rows * columns * FLOAT_BYTES * layers)

    def read_maps(
        self, data: DataConfig, simulation: str, *, redraw: int = 0, workers: int = 1
    ) -> FullMaps:
        """Read all rows of one simulation.

        See :meth:`Suite.read_maps`. Refused are also fields of another shape than ``data.shape``,
        but for conditions whose sides divide it: their pixels are repeated, and the file says so;
        and parameters that differ between the rows of a simulation.
        """
        config, path = self.config, self.inputs(data, simulation)[0]
        fields = (*config.conditions, *data.targets)
        with open_array_file(path) as file:
            rows = self._rows(file, simulation)
            layers, expanded = [], {}
            for field in fields:
                found = self._field(file, field, rows, simulation)
                may_be_coarse = field in config.conditions
                grown, factors = _grown(found, data, f"{path}:{field.name}", may_be_coarse)
                if factors != (1, 1):
                    expanded[field.name] = list(factors)
                layers.append(grown)
            params = self._parameters(file, rows, simulation)
        self._require_equal_rows(fields, layers, path)
        domain = Domain(
            length=config.length_unit,
            conditions=config.conditions,
            symmetries=config.symmetries,
            periodic=config.periodic,
        )
        ranges = {
            p.name: {"min": p.min, "max": p.max, "fiducial": p.middle, "log": p.log}
            for p in config.parameters
        }
        values = np.stack(layers, axis=1)
        return FullMaps(
            values=values,
            fields=data.targets,
            projections=tuple(str(i) for i in range(len(values))),
            context={},
            halos=Halos(np.empty((0, 3)), np.empty(0), np.empty(0)),
            attrs={
                "pixel": config.pixel,
                "periodic": 0,
                "params": json.dumps(params),
                "param_ranges": json.dumps(ranges),
                "conventions": CONVENTIONS,
                **({"expanded": json.dumps(expanded)} if expanded else {}),
            },
            sources=(below(self.root, path),),
            domain=domain,
        )

    def inspect(self, data: DataConfig, simulation: str, *, deep: bool) -> Inspection:
        """See :meth:`Suite.inspect`."""
        found = Inspection(simulation)
        path = self.inputs(data, simulation)[0]
        if not path.exists():
            found.add(Level.ERROR, "files", f"{path}: expected a file, got no such file")
        if deep and not found.findings:
            maps = found.attempt("values", lambda: self.read_maps(data, simulation))
            if maps is not None:
                found.facts["rows"] = len(maps.values)
                found.facts["params"] = json.loads(maps.attrs["params"])
        return found

    def probe(self, data: DataConfig) -> Probe:
        """Read the first simulation."""
        return probe_reading(self, data)

    def describe(self) -> list[tuple[str, str]]:
        """See :meth:`Suite.describe`."""
        config = self.config
        given = ", ".join(f"{field.label} [{field.unit}]" for field in config.conditions)
        edges = {
            (True, True): "periodic",
            (False, False): "not periodic",
            (True, False): "periodic along y",
            (False, True): "periodic along x",
        }[config.periodic]
        law = " and ".join(config.symmetries) or "none"
        return [("Given", given), ("Edges", edges), ("Symmetries", law)]

    def _rows(self, file: ArrayFile, simulation: str) -> Rows | None:
        """Rows of a shared file that are this simulation's; None: the file is its own."""
        config = self.config
        members = [name for name in self.simulations if set_of(name) == set_of(simulation)]
        number = members.index(simulation)
        if config.rows_per_simulation is not None:
            n_rows = config.rows_per_simulation
            return slice(number * n_rows, (number + 1) * n_rows)
        if config.group is None:
            return None
        key = config.array_of(config.group, set_of(simulation))
        labels = file.read(key)
        if labels.ndim != 1:
            raise DataError(f"{file.path}:{key}", "a label for each row", f"shape {labels.shape}")
        distinct, first = np.unique(labels, return_index=True)
        if len(distinct) != len(members):
            raise DataError(
                f"{file.path}:{key}",
                f"{len(members)} labels, as many as suite.sets has simulations of "
                f"{set_of(simulation)}",
                f"{len(distinct)}",
            )
        label = distinct[np.argsort(first)][number]
        return np.flatnonzero(labels == label).astype(np.int64)

    def _field(
        self, file: ArrayFile, field: Field, rows: Rows | None, simulation: str
    ) -> NDArray[np.float32]:
        """Rows of a field ``(row, y, x)``."""
        key = self.config.array_of(field.name, set_of(simulation))
        where, shape = f"{file.path}:{key}", file.shape(key)
        wanted = "(row, y, x)" if rows is not None else "(y, x) or (row, y, x)"
        if len(shape) not in ((3,) if rows is not None else (2, 3)):
            raise DataError(where, f"shape {wanted}", f"{shape}")
        last = rows.stop if isinstance(rows, slice) else 0
        if shape[0] < last and len(shape) == 3:
            raise DataError(
                where, f"at least {last} rows, for {simulation}", f"{shape[0]}",
                "suite.sets counts more simulations of suite.rows_per_simulation rows than there "
                "are.",
            )  # fmt: skip
        values = file.read(key, rows)
        if values.dtype.kind not in "fiub":
            raise DataError(where, "numbers", f"{values.dtype}")
        maps: NDArray[np.float32] = values.reshape(-1, *shape[-2:]).astype(np.float32)
        if not field.signed and maps.size and maps.min() < 0:
            raise DataError(
                where, f"values of zero or more of {field.name}", f"{maps.min():g}",
                "A field that may be negative is declared with signed: true.",
            )  # fmt: skip
        checked_values(maps, where, signed=field.signed)
        return maps

    def _parameters(self, file: ArrayFile, rows: Rows | None, simulation: str) -> dict[str, float]:
        """Values by name."""
        params = {}
        for parameter in self.config.parameters:
            key = (parameter.array or parameter.name).replace("{set}", set_of(simulation))
            values, where = np.ravel(file.read(key)), f"{file.path}:{key}"
            if values.size > 1 and rows is not None:
                values = values[rows]
            if not values.size or values.dtype.kind not in "fiub":
                raise DataError(where, f"numbers of {simulation}", f"{values.dtype} {values.shape}")
            first = float(values[0])
            if not (values == values[0]).all():
                raise DataError(
                    where, f"one value for all rows of {simulation}",
                    f"{values.min():g} to {values.max():g}",
                    "Rows of other parameters are other simulations: set "
                    "suite.rows_per_simulation: 1, or suite.group.",
                )  # fmt: skip
            if not parameter.min <= first <= parameter.max:
                raise DataError(
                    where,
                    f"a value in [{parameter.min:g}, {parameter.max:g}], the range of "
                    f"{parameter.name} in suite.parameters",
                    f"{first:g}",
                )
            params[parameter.name] = first
        return params

    def _require_equal_rows(
        self, fields: tuple[Field, ...], layers: list[NDArray[np.float32]], path: Path
    ) -> None:
        """Every field has as many rows as the first."""
        for field, layer in zip(fields, layers, strict=True):
            if len(layer) != len(layers[0]) or not len(layer):
                raise DataError(
                    f"{path}:{field.name}",
                    f"as many rows as {fields[0].name}, {len(layers[0]) or 'one at least'}",
                    f"{len(layer)}",
                )


def _grown(
    maps: NDArray[np.float32], data: DataConfig, where: str, may_be_coarse: bool
) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Maps of the shape of the windows; pixels of a coarser condition are repeated, how often."""
    expected, found = data.window_shape, (int(maps.shape[1]), int(maps.shape[2]))
    if found == expected:
        return maps, (1, 1)
    rests = [wanted % side for wanted, side in zip(expected, found, strict=True)]
    if not may_be_coarse or any(rests):
        hint = (
            "A condition may be coarser by whole factors, whose pixels are then repeated; nothing "
            "is resampled."
        )
        raise DataError(where, f"{expected} pixels (data.shape)", f"{found}", hint)
    down, right = expected[0] // found[0], expected[1] // found[1]
    return maps.repeat(down, axis=1).repeat(right, axis=2), (down, right)


SUITE = Arrays
