"""What all suites of existing files share: names, sets, and who has the same phases."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from emulator.config.section import FilePath, Section, checked_part
from emulator.config.suites.layout import set_of

SetName = Annotated[str, Field(pattern=r"^[^_/]+$")]


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
        known = {*self.sets, *(name for names in self._members().values() for name in names)}
        named = [*self.redraw_sets, *(self.phases if isinstance(self.phases, dict) else ())]
        unknown = [name for name in named if name not in known]
        if unknown:
            raise ValueError(f"phases and redraw_sets name no set or simulation {unknown}")
        return self

    @property
    def has_twins(self) -> bool:
        """Whether there are fields to learn, besides those of dark matter alone."""
        return True

    def simulations(self) -> tuple[str, ...]:
        """Names of all simulations."""
        return tuple(name for members in self._members().values() for name in members)

    def output_of(self, simulation: str) -> tuple[str, float | None]:
        """The simulation that an output is of, and its redshift; None where none is stated."""
        return simulation, None

    @property
    def stated_redshifts(self) -> tuple[float, ...]:
        """Redshifts of which each simulation has an output, as far as they are stated."""
        return ()

    def phases_of(self, simulation: str) -> str | None:
        """Label that the config gives to the phases of a simulation, if it does."""
        labels = self.phases if isinstance(self.phases, dict) else {}
        return labels.get(simulation, labels.get(set_of(simulation)))

    def folder(self, name: str) -> Path:
        """Folder above the files."""
        return Path(self.root)

    def _members(self) -> dict[str, tuple[str, ...]]:
        return {
            name: tuple(f"{name}_{i}" for i in range(members))
            if isinstance(members, int)
            else members
            for name, members in self.sets.items()
        }
