"""Where the files of a suite lie: templates of paths below its root."""

import string
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from emulator.config.section import FilePath, Section
from emulator.config.suites.tables import found_table

PLACEHOLDERS = ("suite", "box", "set", "simulation", "number", "redraw", "snapshot")


def _known_placeholders(template: str) -> str:
    try:
        found = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise ValueError(f"no template of a path: {error}") from error
    unknown = [name for name in found if name not in PLACEHOLDERS]
    if unknown:
        raise ValueError(f"unknown placeholders {unknown}; there are {', '.join(PLACEHOLDERS)}")
    return template


TemplatePath = Annotated[FilePath, AfterValidator(_known_placeholders)]
"""Template of a path, with placeholders in braces."""

SNAPSHOT = "090"
"""What ``{snapshot}`` stands for unless a suite says it: z = 0 in CAMELS."""

OF_A_REDSHIFT = ("dmo_snapshot", "hydro_snapshot", "redrawn_snapshot", "dmo_catalogue")
"""Files of a layout that each redshift has its own of."""

INPUTS = ("dmo_snapshot", "hydro_snapshot", "dmo_catalogue", "parameters", "ranges")
"""Files of a layout that the projection of one simulation reads."""


class Layout(Section):
    """Where the files of one simulation lie below the suite's root (CAMELS folders).

    Placeholders: ``{suite}``, ``{box}``, ``{set}``, ``{simulation}``, ``{number}`` (what follows
    the last underscore of the simulation's name), ``{snapshot}`` (what the suite calls the output
    of a redshift); ``{redraw}`` counts the draws of ``emulator simulate --redraw-baryons``. A
    snapshot or catalogue in several files ``name.0.hdf5, name.1.hdf5, ...`` is given as
    ``name.hdf5``. A template that starts with ``./`` is relative to the working directory instead:
    ``./data/parameters/camels_6.csv`` (a table that comes with the package is found where the
    working directory has none).

    ``hydro_snapshot: null`` is a suite of dark-matter-only runs: targets to be painted, from which
    nothing is learned. ``dmo_catalogue: null``: no halos.
    """

    dmo_snapshot: TemplatePath = Field(
        "Sims/{suite}_DM/{box}/{set}/{simulation}/snapshot_{snapshot}.hdf5",
        description="of the dark-matter-only run",
    )
    hydro_snapshot: TemplatePath | None = Field(
        "Sims/{suite}/{box}/{set}/{simulation}/snapshot_{snapshot}.hdf5",
        description="of its hydrodynamic twin; null: none, the suite is painted, not learned from",
    )
    redrawn_snapshot: TemplatePath = Field(
        "Sims/{suite}/{box}/{set}/{simulation}/redraw_{redraw:04d}/snapshot_{snapshot}.hdf5",
        description="of another draw of the baryons",
    )
    dmo_catalogue: TemplatePath | None = Field(
        "FOF_Subfind/{suite}_DM/{box}/{set}/{simulation}/groups_{snapshot}.hdf5",
        description="halos of the dark-matter-only run; null: none",
    )
    parameters: TemplatePath = Field(
        "Parameters/{suite}/CosmoAstroSeed_{suite}_{box}_{set}.txt",
        description="table of the parameters of a set",
    )
    ranges: TemplatePath = Field(
        "Parameters/{suite}/Info_{suite}_{box}.csv",
        description="table of the ranges of the parameters",
    )

    @property
    def absent(self) -> tuple[str, ...]:
        """Kinds of files that the suite does not have."""
        return tuple(kind for kind in INPUTS if getattr(self, kind) is None)

    def path(
        self,
        kind: str,
        root: str | Path,
        *,
        suite: str,
        box: str,
        simulation: str,
        redraw: int = 0,
        snapshot: str = SNAPSHOT,
    ) -> Path:
        """Path of one file (a field of this class) of one simulation below ``root``."""
        return template_path(
            getattr(self, kind),
            root,
            simulation,
            suite=suite,
            box=box,
            redraw=redraw,
            snapshot=snapshot,
        )

    def of_redshifts(self) -> dict[str, str | None]:
        """Templates that each redshift must have its own file of."""
        return {kind: getattr(self, kind) for kind in OF_A_REDSHIFT}


def template_path(template: str, root: str | Path, simulation: str, **facts: object) -> Path:
    """Fill in a template of a path; it lies below ``root`` unless it starts with ``./``.

    Tables of ``./data/parameters`` come with the package: see :mod:`emulator.config.suites.tables`.
    """
    name = template.format(
        set=set_of(simulation),
        simulation=simulation,
        number=simulation.rsplit("_", 1)[-1],
        **facts,
    )
    return found_table(Path(name)) if name.startswith("./") else Path(root) / name


def set_of(simulation: str) -> str:
    """Set of a simulation: ``CV`` for ``CV_3``, ``1P`` for ``1P_p3_n1``."""
    return simulation.split("_", 1)[0]
