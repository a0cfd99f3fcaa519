"""``solver.json``: the solver that was found for the weights of a bundle, and what was measured.

It lies beside ``model.json`` and is a file of its own, because it comes from another stage:
training writes and seals the card, and whoever looks for a solver again must not touch it. It names
the SHA-256 of the weights that it was measured on, and beside others it is refused.
"""

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from emulator.config import AutoConfig, SamplingConfig, Setting
from emulator.io import write_json
from emulator.model.beside import read_beside
from emulator.model.validated import forget_verdict
from emulator.units import Unit

SOLVER_FILE = "solver.json"
"""Name of the file in the folder of a bundle."""

_AGAIN = (
    "Run `emulator tune CONFIG` again, or remove the file: the bundle then has the usual solver."
)

NotNegative = Annotated[NonNegativeFloat, Field(allow_inf_nan=False)]


class Measured(BaseModel):
    """Error of one setting, and its time on the machine where it was measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    setting: Setting
    spectrum_error: dict[str, NotNegative] = {}
    """By field: largest ``|P / P_reference - 1|`` of mean spectra, any shell of the range."""
    spectrum_noise: dict[str, NotNegative] = {}
    """By field: standard error of that number, from a jackknife over windows."""
    crps_change: dict[str, FiniteFloat] = {}
    """By field: CRPS over that of the reference, minus 1."""
    ms_per_member: NotNegative
    fault: str | None = None
    """Why there is no error: what it drew was no field at all."""

    @property
    def largest_spectrum_error(self) -> float:
        """Of all fields; infinite where there is none."""
        return max([] if self.fault else self.spectrum_error.values(), default=math.inf)

    @property
    def largest_crps_change(self) -> float:
        """Of all fields, either sign; infinite where there is none."""
        changes = [] if self.fault else [abs(value) for value in self.crps_change.values()]
        return max(changes, default=math.inf)

    @property
    def noise(self) -> float:
        """Standard error of the largest spectrum error."""
        if not self.spectrum_error:
            return math.nan
        worst = max(self.spectrum_error, key=lambda name: self.spectrum_error[name])
        return self.spectrum_noise.get(worst, math.nan)


class FoundSolver(BaseModel):
    """Content of ``solver.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    weights_sha256: str
    sampling: SamplingConfig
    """Solver, evaluations and grid that were found, and the options that they were found with."""
    within_budget: bool
    """Whether it fits the budget; if not, it came closest."""
    spectrum_budget: PositiveFloat
    crps_budget: PositiveFloat
    k_min_hmpc: PositiveFloat | None = None
    k_max_hmpc: PositiveFloat | None = None
    k_range: tuple[PositiveFloat, PositiveFloat] | None = None
    """Of arrays, in place of the two before it."""
    k_unit: str = str(Unit.WAVE_NUMBER)
    reference: Setting
    simulations: tuple[str, ...]
    windows: PositiveInt
    members: PositiveInt
    device: str
    """What the times are of."""
    table: tuple[Measured, ...]
    attributes: dict[str, str] = {}

    @model_validator(mode="after")
    def _was_measured(self) -> "FoundSolver":
        if isinstance(self.sampling.solver, AutoConfig):
            raise ValueError("sampling.solver must name a solver, got auto")
        if all(row.setting != self.setting or row.fault for row in self.table):
            raise ValueError("sampling: no row of the table was measured with this setting")
        if self.k_range is None and None in (self.k_min_hmpc, self.k_max_hmpc):
            raise ValueError("expected k_min_hmpc and k_max_hmpc, or k_range, got neither")
        return self

    @property
    def setting(self) -> Setting:
        """What was found."""
        options = self.sampling
        return Setting.model_validate(
            {"solver": options.solver, "spacing": options.spacing, "n_steps": options.n_steps}
        )

    @property
    def wave_numbers(self) -> str:
        """Range in which spectra were compared, with its unit."""
        low, high = self.k_range or (self.k_min_hmpc, self.k_max_hmpc)
        return f"{low:g} to {high:g} {self.k_unit}"

    @property
    def row(self) -> Measured:
        """What was measured of it."""
        return next(row for row in self.table if row.setting == self.setting)

    @property
    def said(self) -> str:
        """The finding in a line."""
        row, setting = self.row, self.setting
        found = (
            f"{setting.label}, {setting.n_steps} evaluations: {row.largest_spectrum_error:.2%} of "
            f"the power, {row.largest_crps_change:.2%} of the CRPS"
        )
        return found if self.within_budget else f"{found}: NOT WITHIN THE BUDGET, the closest"

    @property
    def advice(self) -> str:
        """What can be done where no setting fits the budget."""
        return (
            f"no candidate is within the budget ({self.spectrum_budget:.2%} of the power, "
            f"{self.crps_budget:.2%} of the CRPS); the closest is kept, and drawn with. Try more "
            "evaluations, other candidates, or more windows (where the standard errors are as "
            "large as the errors): `sampling.solver: {name: auto, evaluations: [...], ...}`"
        )

    @property
    def measured(self) -> str:
        """All rows as aligned text, the found one marked."""
        head = (
            f"solvers against {self.reference.n_steps} evaluations of {self.reference.label} "
            f"({self.windows} windows of validation, {self.members} members; budget "
            f"{self.spectrum_budget:.2%} of the power, {self.crps_budget:.2%} of the CRPS)"
        )
        width = max(len(row.setting.label) for row in self.table)
        return "\n".join([head, *(self._line(row, width) for row in self.table)])

    def _line(self, row: Measured, width: int) -> str:
        mark = "->" if row.setting == self.setting else "  "
        start = f"{mark} {row.setting.label:{width}s} {row.setting.n_steps:4d}"
        if row.fault:
            return f"{start}  {row.fault}"
        noise = "" if math.isnan(row.noise) else f" +- {100 * row.noise:.2f}"
        return (
            f"{start}  power {100 * row.largest_spectrum_error:6.2f}{noise} %  CRPS "
            f"{100 * row.largest_crps_change:5.2f} %  {row.ms_per_member:.3g} ms a member"
        )

    def write(self, folder: Path) -> None:
        """Write it into the folder of its bundle, atomically and sealed."""
        forget_verdict(folder)
        write_json(Path(folder) / SOLVER_FILE, self.model_dump(mode="json"))


def read_found(folder: str | Path, weights_sha256: str) -> FoundSolver | None:
    """What was found for a bundle; None if nothing was.

    Parameters
    ----------
    folder
        Of the bundle.
    weights_sha256
        Of its weights, as ``model.json`` names them.

    Raises
    ------
    DataError
        If the file is damaged, no finding, or one about other weights.
    """
    return read_beside(
        Path(folder) / SOLVER_FILE, FoundSolver, weights_sha256,
        made="a solver found by `emulator tune`", about="a solver found for", again=_AGAIN,
    )  # fmt: skip
