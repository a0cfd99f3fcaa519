"""``painting``: whole boxes that have no hydrodynamic twin, for the workflow's target `paint`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)

from emulator.config.section import FilePath, Section, checked_part
from emulator.config.suites import SuiteConfig, set_of

MAP = "map"
"""Label of the only map of a file that has no projections, an array."""

_OF_BOXES = (".hdf5", ".h5")
_OF_ONE_MAP = (".npy", ".zarr", ".nc")


def _part(name: str) -> str:
    return checked_part(name, "a box or projection")


Part = Annotated[str, AfterValidator(_part)]
"""A name that becomes a folder."""

Params = dict[str, FiniteFloat]
Projections = Annotated[tuple[Part, ...], Field(min_length=1)]


class PaintedSource(Section):
    """One box that is painted."""

    path: FilePath = Field(
        description="dark-matter-only snapshot (.hdf5), maps file (.h5), or file of one map (.npy, "
        ".zarr, .nc)"
    )
    params: Params = Field(
        {}, description="parameters of the model by name; of a maps file, those that it lacks"
    )
    projections: Projections | None = Field(
        None, description="which of its maps, by label (x, y, z; with slabs x0, x1, ...); null: all"
    )

    @property
    def is_array(self) -> bool:
        """Whether it is a file of one map, which has no projections."""
        return Path(self.path).suffix not in _OF_BOXES

    @model_validator(mode="after")
    def _projections_are_some(self) -> "PaintedSource":
        suffix = Path(self.path).suffix
        if suffix not in (*_OF_BOXES, *_OF_ONE_MAP):
            raise ValueError(
                f"path: expected a file {', '.join((*_OF_BOXES, *_OF_ONE_MAP))}, got {self.path}"
            )
        if self.is_array and self.projections is not None:
            raise ValueError(
                f"projections: {self.path} holds one map and no projections: leave them out"
            )
        _require_different(self.projections or (), "projections")
        return self


class PaintingConfig(Section):
    """Boxes that `snakemake ... paint` paints, a folder each: RESULTS/painted/BOX/PROJECTION."""

    model: FilePath | None = Field(
        None,
        description="trained bundle, results/NAME/model or one of its seed_N; null: the model of "
        "this config, which is trained first",
    )
    sources: dict[Part, PaintedSource] = Field(
        {}, description="name of a box -> its file and parameters"
    )
    simulations: Literal["all"] | tuple[str, ...] | None = Field(
        None,
        description="simulations of the suite, or sets, that are projected and painted; null: all "
        "of a suite of dark-matter-only runs (suite.layout.hydro_snapshot: null), none of pairs",
    )
    params: Params = Field(
        {}, description="parameters of all simulations, where their table lacks them or says others"
    )
    projections: Projections | None = Field(
        None, description="which maps of the simulations; null: all"
    )
    n_members: PositiveInt = Field(8, description="members of each projection")
    members_per_job: PositiveInt = Field(4, description="members that one job paints")
    seed: NonNegativeInt = Field(0, description="of the members' noise")
    overlap: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.5, description="share of a window that the next one covers again"
    )
    out_of_range: Literal["raise", "warn"] = Field(
        "raise", description="parameters or densities beyond those of the training"
    )

    @model_validator(mode="after")
    def _names_differ(self) -> "PaintingConfig":
        _require_different(self.projections or (), "projections")
        if isinstance(self.simulations, tuple):
            _require_different(self.simulations, "simulations")
        return self

    def painted(self, suite: SuiteConfig) -> tuple[str, ...]:
        """Simulations of a suite that are painted.

        Raises
        ------
        ValueError
            A name that is neither a simulation nor a set of the suite, or a suite of windows.
        """
        asked = self.simulations
        if asked is None:
            asked = () if suite.has_twins else "all"
        if asked and suite.kind == "windows":
            raise ValueError(
                "painting.simulations: expected a suite of whole boxes, got suite.kind windows: "
                "ready windows are drawn with `emulator sample`; leave the key out"
            )
        names = suite.simulations()
        if asked == "all":
            return names
        unknown = [name for name in asked if name not in {*names, *map(set_of, names)}]
        if unknown:
            raise ValueError(
                f"painting.simulations: expected simulations or sets of the suite "
                f"({', '.join(sorted({*map(set_of, names)}))}), got {', '.join(unknown)}"
            )
        return tuple(name for name in names if name in asked or set_of(name) in asked)

    def boxes(self, suite: SuiteConfig) -> tuple[str, ...]:
        """Names of all boxes; errors are those of :meth:`painted`, and a name of two boxes."""
        simulations = self.painted(suite)
        twice = [name for name in self.sources if name in simulations]
        if twice:
            raise ValueError(
                f"painting.sources: {', '.join(twice)} is a simulation of the suite that is "
                "painted, too: expected one box of a name; rename the source"
            )
        return (*self.sources, *simulations)

    def faults(self, params: tuple[str, ...], model: str) -> list[str]:
        """Given parameters that a model does not have.

        Parameters
        ----------
        params
            Parameters of the model.
        model
            What it is called.
        """
        given = {f"sources.{name}.params": each.params for name, each in self.sources.items()}
        unknown = {
            key: [name for name in values if name not in params]
            for key, values in (given | {"params": self.params}).items()
        }
        return [
            f"painting.{key}: expected parameters of {model} ({', '.join(params)}), got "
            f"{', '.join(names)}: remove or rename them"
            for key, names in unknown.items()
            if names
        ]

    @property
    def jobs(self) -> dict[str, range]:
        """Members of each job of a projection, by the name of the job."""
        firsts = range(0, self.n_members, self.members_per_job)
        blocks = [range(i, min(i + self.members_per_job, self.n_members)) for i in firsts]
        return {f"{block[0]:05d}-{block[-1]:05d}": block for block in blocks}


def _require_different(names: tuple[str, ...], key: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{key}: expected each name once, got {', '.join(twice)} twice")
