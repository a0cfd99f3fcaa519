"""Parameter tables of the embedded suite, in the formats of CAMELS."""

from pathlib import Path

from emulator.config import EmbeddedSuite
from emulator.io import write_text
from emulator.simulate.design import DECIMALS, Simulation, build_design, parameters_of


def write_tables(suite: EmbeddedSuite, root: Path) -> list[Path]:
    """Write the parameter table of each set and the table of ranges, as CAMELS has them.

    Returns
    -------
    Paths of the tables: whitespace columns ``#Name Omega_m ... seed``, one row a simulation; and
    one CSV of ranges.
    """
    sets: dict[str, list[Simulation]] = {}
    for simulations in build_design(suite).values():
        for simulation in simulations:
            sets.setdefault(simulation.set, []).append(simulation)
    parameters = parameters_of(suite)
    names = [parameter.name for parameter in parameters]
    paths = []
    for members in sets.values():
        if members[0].set != "1P":
            members.sort(key=lambda simulation: int(simulation.name.rsplit("_", 1)[1]))
        rows = [" ".join(("#Name", *names, "seed"))]
        for simulation in members:
            columns = (f"{simulation.params[name]:.{DECIMALS}f}" for name in names)
            rows.append(" ".join((simulation.name, *columns, str(simulation.ic_seed))))
        path = suite.path("parameters", root, members[0].name)
        write_text(path, "\n".join(rows) + "\n")
        paths.append(path)

    rows = ["ParamName,AbsMaxDiff,LogFlag,FiducialVal,MinVal,MaxVal,Description"]
    for p in parameters:
        difference = p.maximum / p.fiducial if p.log else p.maximum - p.fiducial
        values = f"{difference:g},{int(p.log)},{p.fiducial},{p.minimum},{p.maximum}"
        rows.append(f"{p.name},{values},{p.description.replace(',', ';')}")
    path = suite.path("ranges", root, members[0].name if sets else "SB_0")
    write_text(path, "\n".join(rows) + "\n")
    return [*paths, path]
