"""The consistency model: a trained diffusion distilled to a few network evaluations a member."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from emulator.config.places import is_within, only_bundle
from emulator.config.section import FilePath, Gamma, Section

MOST_EVALUATIONS = 4
"""Network evaluations a member, at most: with more, a solver of the diffusion is as good."""

EVALUATIONS = 2
"""Network evaluations a member where ``sampling.evaluations`` does not say."""

Evaluations = Annotated[int, Field(ge=1, le=MOST_EVALUATIONS)]


class ConsistencyConfig(Section):
    """How a diffusion is distilled (``training.objective: consistency``).

    The student is the teacher's network, asked for the end of the path on which the teacher's
    solver leads a noised field; it learns it from its own answer a level further down the path.
    """

    teacher: FilePath | None = Field(
        None,
        description="bundle of the trained diffusion: results/NAME/model, or one of its seed_N; of "
        "the same data, channels, network and diffusion",
    )
    levels: Annotated[int, Field(ge=MOST_EVALUATIONS, le=256)] = Field(
        4,
        description="intervals between gamma_max and gamma_end, uniform in gamma; a short training "
        "needs them few",
    )
    teacher_steps: Annotated[int, Field(ge=1, le=16)] = Field(
        3, description="solver steps of the teacher in an interval, two evaluations each"
    )
    gamma_end: Gamma = Field(-8.0, description="clean end of the paths: the teacher's data there")

    def faults(self, results: Path, gamma_min: float, gamma_max: float) -> list[str]:
        """What is wrong for an experiment with these results and ends of gamma.

        Parameters
        ----------
        results
            Its own folder of results, in which the teacher cannot lie.
        gamma_min, gamma_max
            Ends of ``diffusion``.
        """
        found = []
        if self.teacher is None:
            found.append(
                "consistency.teacher: training.objective consistency distils a trained diffusion: "
                "name its bundle (results/NAME/model), or set training.objective to diffusion"
            )
        elif is_within(self.teacher, results):
            found.append(
                f"consistency.teacher {self.teacher} lies in {results}, the results of this "
                "experiment itself: give the student another name"
            )
        if not gamma_min <= self.gamma_end < gamma_max:
            found.append(
                f"consistency.gamma_end must lie in [gamma_min, gamma_max) of the diffusion, "
                f"[{gamma_min:g}, {gamma_max:g}), got {self.gamma_end:g}"
            )
        return found


def teacher_bundle(options: ConsistencyConfig) -> Path:
    """Folder of the one bundle that ``consistency.teacher`` names.

    Raises
    ------
    ConfigError
        If there is none, or more than one.
    """
    remedy = "train the diffusion first (`emulator train`, or the workflow with its config)"
    return only_bundle("consistency.teacher", options.teacher or "", remedy)
