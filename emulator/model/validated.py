"""``validated.json``: how a bundle was drawn from when it was judged, and what came out.

It lies beside ``model.json`` as ``solver.json`` and ``calibration.json`` do: the stage `validate`
writes it, for weights whose SHA-256 it names, and beside others it is refused. Scores are those of
draws with these settings and no others: so they are the settings that Python draws with. A solver
or a calibration that is found later removes the file, as nothing was judged with it.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)

from emulator.config import AutoConfig, SamplingConfig
from emulator.io import write_json
from emulator.model.beside import read_beside

VALIDATED_FILE = "validated.json"
"""Name of the file in the folder of a bundle."""

_AGAIN = (
    "Run `emulator validate CONFIG` again, or remove the file: the bundle then draws with the "
    "solver that was found for it, or the usual one."
)


class JudgedBar(BaseModel):
    """A row of ``acceptance.json``: a number, what it was compared with, and the verdict."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    field: str
    statistic: str
    value: FiniteFloat | None
    """None: not defined, and missed."""
    comparison: Literal[">=", "<=", "in"]
    threshold: FiniteFloat | tuple[FiniteFloat, FiniteFloat]
    verdict: Literal["met", "missed"]
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    """Ends of the interval of 68 %, where the number has one."""

    @property
    def asked(self) -> str:
        """What was asked of the value."""
        if isinstance(self.threshold, tuple):
            return "{:g} to {:g}".format(*self.threshold)
        return f"{self.comparison} {self.threshold:g}"


class Validated(BaseModel):
    """Content of ``validated.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    weights_sha256: str
    sampling: SamplingConfig
    """Options that the judged members were drawn with."""
    calibration: str | None
    """Fingerprint of the calibration that they were drawn with; None: as trained."""
    split: str
    simulations: tuple[str, ...] = Field(min_length=1)
    """That were judged; none of them was trained on."""
    runs: PositiveInt
    models: PositiveInt
    """Of different seeds, whose members were judged as one ensemble."""
    members: PositiveInt
    windows: NonNegativeInt
    """Of each simulation."""
    bars: tuple[JudgedBar, ...]
    commit: str
    """Of the code that judged; empty: not known."""
    data: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]
    """SHA-256 of what was judged and compared with, by kind: over the checksums of its files."""
    attributes: dict[str, str] = {}

    @model_validator(mode="after")
    def _names_a_solver(self) -> "Validated":
        if isinstance(self.sampling.solver, AutoConfig):
            raise ValueError("sampling.solver must name a solver, got auto")
        return self

    @property
    def met(self) -> int:
        """Number of bars that are met."""
        return sum(bar.verdict == "met" for bar in self.bars)

    @property
    def said(self) -> str:
        """The verdict in a line."""
        models = "" if self.models == 1 else f", {self.models} models as one"
        return (
            f"{self.met} of {len(self.bars)} bars met ({len(self.simulations)} held-out "
            f"simulations of {self.runs} runs, {self.members} members{models})"
        )

    def write(self, folder: Path) -> None:
        """Write it into the folder of its bundle, atomically and sealed."""
        write_json(Path(folder) / VALIDATED_FILE, self.model_dump(mode="json"))


def read_validated(folder: str | Path, weights_sha256: str) -> Validated | None:
    """How a bundle was judged; None if it was not.

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
        Path(folder) / VALIDATED_FILE, Validated, weights_sha256,
        made="a verdict by `emulator validate`", about="a verdict on", again=_AGAIN,
    )  # fmt: skip


def forget_verdict(folder: str | Path) -> None:
    """Remove what was judged of a bundle that will draw otherwise."""
    (Path(folder) / VALIDATED_FILE).unlink(missing_ok=True)
