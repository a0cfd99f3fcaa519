"""Suites that exist already: snapshots (CAMELS or the user's own), ready maps, ready windows.

They differ in what a simulation's files are; each becomes the same kind of maps file.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from emulator.config.layout import INPUTS, Layout, template_path
from emulator.config.section import Section

SetName = Annotated[str, Field(pattern=r"^[^_/]+$")]
LengthUnit = Literal["kpc/h", "Mpc/h", "kpc", "Mpc"]
MassUnit = Literal["1e10 Msun/h", "Msun/h", "1e10 Msun", "Msun"]


class HeaderFacts(Section):
    """What the headers of a suite's snapshots fail to say; null: as the file says.

    A fact fills in for a missing attribute. A header that says something else is an error, except
    for the units: those replace what the file claims.
    """

    box_size_mpch: PositiveFloat | None = None
    redshift: NonNegativeFloat | None = None
    omega_m: PositiveFloat | None = None
    omega_b: PositiveFloat | None = None
    hubble_h: PositiveFloat | None = None
    mass_table_msunh: tuple[NonNegativeFloat, ...] | None = Field(
        None, description="mass of a particle by type; 0: the file holds them one by one [Msun/h]"
    )
    length_unit: LengthUnit | None = Field(None, description="comoving; GADGET's default is kpc/h")
    mass_unit: MassUnit | None = Field(None, description="GADGET's default is 1e10 Msun/h")


class ExistingSuite(Section):
    """What all suites of existing files share."""

    name: str = Field(description="name of the suite, {suite} in templates")
    root: str = Field(description="folder above the files")
    sets: dict[SetName, PositiveInt | tuple[str, ...]] = Field(
        description="set name (without underscores) -> number of simulations NAME_0, NAME_1, ... "
        "or their names"
    )
    parameter_names: tuple[str, ...] | None = Field(
        None, description="columns of a parameter table that does not name them; null: it does"
    )

    @model_validator(mode="after")
    def _names_belong_to_their_sets(self) -> "ExistingSuite":
        for name, members in self._members().items():
            strangers = [member for member in members if not member.startswith(f"{name}_")]
            if strangers:
                raise ValueError(f"names of set {name} start with '{name}_', not {strangers}")
        return self

    def runs(self) -> dict[str, tuple[str, ...]]:
        """Map each run to its simulations: here every simulation has its own phases."""
        names = (name for members in self._members().values() for name in members)
        return {name: (name,) for name in names}

    def _members(self) -> dict[str, tuple[str, ...]]:
        return {
            name: tuple(f"{name}_{i}" for i in range(members))
            if isinstance(members, int)
            else members
            for name, members in self.sets.items()
        }


class FilesSuite(ExistingSuite):
    """Snapshots and catalogues of pairs of simulations (CAMELS or the user's own)."""

    kind: Literal["files"] = "files"
    box: str = Field("", description="name of the box folder, {box} in the layout")
    layout: Layout = Layout()
    header: HeaderFacts = HeaderFacts()
    black_holes: Literal["ignore", "stars"] = Field(
        "ignore", description="stars: the mass of PartType5 counts as stars"
    )
    wind: Literal["gas", "stars"] = Field(
        "gas", description="what AREPO's wind particles (stored with the stars) count as"
    )

    def path(self, kind: str, root: str | Path, simulation: str, redraw: int = 0) -> Path:
        """Path of one file (a field of :class:`Layout`) of one simulation below ``root``."""
        return self.layout.path(
            kind, root, suite=self.name, box=self.box, simulation=simulation, redraw=redraw
        )

    def inputs(self, root: str | Path, simulation: str) -> list[Path]:
        """Files that the projection of one simulation reads."""
        return [self.path(kind, root, simulation) for kind in INPUTS]


class MultifieldSuite(ExistingSuite):
    """Ready maps in the form of the CAMELS Multifield Dataset: one ``.npy`` a field and set.

    Map ``i`` belongs to simulation ``i // maps_per_simulation``; values are surface densities
    [(Msun/h) / (Mpc/h)^2].
    """

    kind: Literal["multifield"] = "multifield"
    maps_per_simulation: PositiveInt = 15
    box_size_mpch: PositiveFloat = 25.0
    depth_mpch: PositiveFloat = Field(5.0, description="depth of the projected slab [Mpc/h]")
    redshift: NonNegativeFloat = 0.0
    hubble_h: PositiveFloat = 0.6711
    omega_b: PositiveFloat = 0.049
    dmo: str = "Maps_Mtot_Nbody_{suite}_{set}_z=0.00.npy"
    dm_hydro: str = "Maps_Mcdm_{suite}_{set}_z=0.00.npy"
    gas: str = "Maps_Mgas_{suite}_{set}_z=0.00.npy"
    stars: str = "Maps_Mstar_{suite}_{set}_z=0.00.npy"
    parameters: str = "params_{set}_{suite}.txt"
    ranges: str = "./data/parameters/camels_6.csv"

    def path(self, kind: str, root: str | Path, simulation: str) -> Path:
        """Path of a field's array or of a table (a field of this class)."""
        return template_path(getattr(self, kind), root, simulation, suite=self.name)

    def inputs(self, root: str | Path, simulation: str) -> list[Path]:
        """Files that the maps of one simulation are made from."""
        kinds = ("dmo", "dm_hydro", "gas", "stars", "parameters", "ranges")
        return [self.path(kind, root, simulation) for kind in kinds]


class SamplesSuite(ExistingSuite):
    """Ready windows: ``.npz`` samples of a halo each, with the keys that BIND uses.

    Windows are not periodic: they are used whole, in any of their eight orientations. The order of
    ``params`` in the samples is ``parameter_names``.
    """

    kind: Literal["samples"] = "samples"
    samples: str = Field(
        "{set}/{simulation}/*.npz", description="pattern of the samples of one simulation"
    )
    box_size_mpch: PositiveFloat = Field(
        50.0, description="box of the windows, of data.n_pixels pixels a side [Mpc/h]"
    )
    depth_mpch: PositiveFloat = 50.0
    redshift: NonNegativeFloat = 0.0
    hubble_h: PositiveFloat = 0.6711
    omega_m: PositiveFloat = Field(0.3, description="where no parameter says it")
    omega_b: PositiveFloat = Field(0.049, description="where no parameter says it")
    ranges: str = "./data/parameters/camels_tng_35.csv"

    def path(self, kind: str, root: str | Path, simulation: str) -> Path:
        """Path of the table of ranges, or the pattern of the samples."""
        return template_path(getattr(self, kind), root, simulation, suite=self.name)

    def inputs(self, root: str | Path, simulation: str) -> list[Path]:
        """Files that the maps of one simulation are made from; sorted by name."""
        pattern = self.path("samples", root, simulation)
        return [*sorted(pattern.parent.glob(pattern.name)), self.path("ranges", root, simulation)]
