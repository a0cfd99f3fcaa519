"""The parameter table and the ranges of one simulation, as a check looks at them."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from emulator.readers.parameter_table import read_table
from emulator.suites.findings import Inspection, Level
from emulator.suites.outputs import output_parameters, output_ranges, output_seed


def inspect_parameters(found: Inspection, config: Any, root: str | Path) -> Mapping[str, float]:
    """Parameters and their ranges; no parameters if they cannot be read."""
    table = config.path("parameters", root, found.simulation)
    read = found.attempt("parameters", partial(read_table, table, config.parameter_names))
    params = read and found.attempt(
        "parameters", partial(output_parameters, config, read, found.simulation)
    )
    if read is None or params is None:
        return {}
    found.facts["params"] = params
    found.facts["seed"] = found.attempt(
        "seed", partial(output_seed, config, read, found.simulation)
    )
    path = config.path("ranges", root, found.simulation)
    ranges = found.attempt("ranges", partial(output_ranges, config, params, path))
    for name, entry in (ranges or {}).items():
        if not entry.min <= params[name] <= entry.max:
            found.add(
                Level.WARNING,
                f"range of {name}",
                f"{table}:{found.simulation}:{name}: {params[name]:g} is outside "
                f"[{entry.min:g}, {entry.max:g}] of {path.name}",
            )
    return params
