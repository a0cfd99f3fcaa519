"""Data: from snapshots to maps, from maps to cutouts, and who is held out."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from emulator.config.section import Fraction, Section


class SplitConfig(Section):
    """Who trains, who validates, who is held out: whole runs, never windows of one run."""

    validation_fraction: Fraction = 0.1
    test_fraction: Fraction = 0.1
    test_sets: tuple[str, ...] = Field(("CV", "BE", "1P"), description="sets held out as a whole")
    seed: NonNegativeInt = 0


class DataConfig(Section):
    """From snapshots to maps, and from maps to cutouts."""

    n_pixels: PositiveInt = Field(128, description="pixels a side of the full-box map")
    slabs: PositiveInt = Field(
        1, description="slabs along each line of sight; a map holds one slab of depth box / slabs"
    )
    deposit: Literal["ngp", "cic", "tsc", "adaptive"] = Field(
        "adaptive", description="cic: dense data; adaptive: width follows the local density"
    )
    scheduler: str = Field(
        "threads",
        pattern=r"^(threads|processes|slurm|(tcp|tls|ucx)://.+)$",
        description="workers of a projection: threads, processes, slurm (jobs of their own, by "
        "dask-jobqueue), or the address of a running dask.distributed scheduler",
    )
    block_particles: PositiveInt = Field(
        1_048_576, description="particles read at a time; bounds the memory of a projection"
    )
    window: PositiveInt = Field(32, description="pixels a side of a cutout")
    context_factors: tuple[PositiveInt, ...] = Field(
        (2, 4), description="context windows in units of the cutout; block-averaged to its pixels"
    )
    split: SplitConfig = SplitConfig()

    @model_validator(mode="after")
    def _windows_fit(self) -> "DataConfig":
        if list(self.context_factors) != sorted(set(self.context_factors)):
            raise ValueError("context_factors must increase and not repeat")
        for factor in (1, *self.context_factors):
            if self.n_pixels % factor or self.window * factor > self.n_pixels:
                raise ValueError(
                    f"context factor {factor}: {factor} x window ({self.window}) must fit in "
                    f"n_pixels ({self.n_pixels}), and {factor} must divide n_pixels"
                )
        return self
