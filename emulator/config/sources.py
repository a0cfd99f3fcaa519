"""Suites that exist already: snapshots (CAMELS or the user's own), ready maps, ready windows.

They differ in what a simulation's files are; each becomes the same kind of maps file.
"""

import glob
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from emulator.config.layout import INPUTS, Layout, TemplatePath, set_of, template_path
from emulator.config.section import FilePath, Section, checked_part

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
    masses: Literal["particles", "header"] | None = Field(
        None,
        description="which to take where a type has both masses of its particles and an entry of "
        "MassTable that says another; null: an error",
    )
    length_unit: LengthUnit | None = Field(None, description="comoving; GADGET's default is kpc/h")
    mass_unit: MassUnit | None = Field(None, description="GADGET's default is 1e10 Msun/h")


class ExistingSuite(Section):
    """What all suites of existing files share."""

    name: str = Field(description="name of the suite, {suite} in templates")
    root: FilePath = Field(description="folder above the files; ~ and variables are expanded")
    sets: dict[SetName, PositiveInt | tuple[str, ...]] = Field(
        description="set name (without underscores) -> number of simulations NAME_0, NAME_1, ... "
        "or their names"
    )
    parameter_names: tuple[str, ...] | None = Field(
        None, description="columns of a parameter table that does not name them; null: it does"
    )

    phases: Literal["seed", "own"] | dict[str, str] = Field(
        "seed",
        description="which simulations share initial phases, and so a split. seed: those with one "
        "seed in the parameter table, where it lists seeds; own: none do; or a label by set or "
        "simulation (1P: one), equal for equal phases",
    )
    redraw_sets: tuple[SetName, ...] = Field(
        (),
        description="sets of which each simulation is another outcome of one with the same phases "
        "and parameters: they are truths beside its ensemble and get none of their own",
    )

    @model_validator(mode="after")
    def _names_belong_to_their_sets(self) -> "ExistingSuite":
        for name, members in self._members().items():
            strangers = [member for member in members if not member.startswith(f"{name}_")]
            if strangers:
                raise ValueError(f"names of set {name} start with '{name}_', not {strangers}")
            if len(set(members)) < len(members):
                raise ValueError(f"names of set {name} repeat")
            for member in members:
                checked_part(member, "a simulation")
        return self

    @model_validator(mode="after")
    def _sets_exist(self) -> "ExistingSuite":
        known = {*self.sets, *self.simulations()}
        named = [*self.redraw_sets, *(self.phases if isinstance(self.phases, dict) else ())]
        unknown = [name for name in named if name not in known]
        if unknown:
            raise ValueError(f"phases and redraw_sets name no set or simulation {unknown}")
        return self

    def simulations(self) -> tuple[str, ...]:
        """Names of all simulations."""
        return tuple(name for members in self._members().values() for name in members)

    def phases_of(self, simulation: str) -> str | None:
        """Label that the config gives to the phases of a simulation, if it does."""
        labels = self.phases if isinstance(self.phases, dict) else {}
        return labels.get(simulation, labels.get(set_of(simulation)))

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
    dmo: TemplatePath = "Maps_Mtot_Nbody_{suite}_{set}_z=0.00.npy"
    dm_hydro: TemplatePath = "Maps_Mcdm_{suite}_{set}_z=0.00.npy"
    gas: TemplatePath = "Maps_Mgas_{suite}_{set}_z=0.00.npy"
    stars: TemplatePath = "Maps_Mstar_{suite}_{set}_z=0.00.npy"
    parameters: TemplatePath = "params_{set}_{suite}.txt"
    ranges: TemplatePath = "./data/parameters/camels_6.csv"

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
    samples: TemplatePath = Field(
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
    ranges: TemplatePath = "./data/parameters/camels_tng_35.csv"

    def path(self, kind: str, root: str | Path, simulation: str) -> Path:
        """Path of the table of ranges, or the pattern of the samples."""
        return template_path(getattr(self, kind), root, simulation, suite=self.name)

    def inputs(self, root: str | Path, simulation: str) -> list[Path]:
        """Files that the maps of one simulation are made from; sorted by name."""
        pattern = self.path("samples", glob.escape(str(root)), glob.escape(simulation))
        found = sorted(map(Path, glob.glob(str(pattern))))
        return [*found, self.path("ranges", root, simulation)]
