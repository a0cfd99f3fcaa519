"""``calibration.json``: how the draws of a bundle are corrected, and what that changed.

It lies beside ``model.json`` and is a file of its own, as ``solver.json`` is: another stage writes
it, for weights whose SHA-256 it names, and beside others it is refused.

A draw takes unit noise :math:`z` to network channels :math:`x = S(z)`. The corrected one is

.. math:: x = S(f z) - t

with a factor ``f`` for each channel of the noise and a shift ``t`` for each channel of the network.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from emulator.config import SamplingConfig
from emulator.io import DataError, write_json
from emulator.model.beside import read_beside
from emulator.model.validated import forget_verdict

CALIBRATION_FILE = "calibration.json"
"""Name of the file in the folder of a bundle."""

_AGAIN = (
    "Run `emulator calibrate CONFIG` again, or remove the file: the bundle is then drawn from as "
    "it was trained."
)

Factor = Annotated[float, Field(ge=1.0e-3, le=1.0e3)]
Shift = Annotated[float, Field(ge=-1.0e3, le=1.0e3)]
Ratio = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Part = Annotated[float, Field(ge=0.0, le=1.0)]


class Spread(BaseModel):
    """Spread over skill of means over squares; None where it is not defined."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    side: PositiveInt
    """Of the squares [pixel]."""
    before: Ratio | None
    after: Ratio | None


class Occupied(BaseModel):
    """Share of the pixels in which a field is not empty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    truth: Part
    before: Part
    after: Part


class Calibration(BaseModel):
    """Content of ``calibration.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    weights_sha256: str
    fields: tuple[str, ...] = Field(min_length=1)
    """Field of each channel of the network, in order; a hurdle field has two."""
    noise_scale: tuple[Factor, ...] = Field(min_length=1)
    """Factor of each channel of the noise: copy by copy, in each as ``fields``."""
    shift: tuple[Shift, ...]
    """Taken off each channel of the network, in its (normalised) units."""
    sampling: SamplingConfig
    """Options that it was fitted with."""
    spread: tuple[Spread, ...]
    occupied: dict[str, Occupied]
    simulations: tuple[str, ...]
    windows: PositiveInt
    members: PositiveInt
    attributes: dict[str, str] = {}

    @model_validator(mode="after")
    def _lengths_agree(self) -> "Calibration":
        n_channels = len(self.fields)
        if len(self.noise_scale) % n_channels:
            raise ValueError(
                f"noise_scale: expected a multiple of {n_channels} factors, one for each channel "
                f"of the network and copy, got {len(self.noise_scale)}"
            )
        if len(self.shift) != n_channels:
            raise ValueError(
                f"shift: expected {n_channels} numbers, one for each channel of the network, got "
                f"{len(self.shift)}"
            )
        return self

    @property
    def factors(self) -> dict[str, tuple[float, ...]]:
        """Factors of each copy of the noise, by field: those of its first channel."""
        n_channels = len(self.fields)
        return {
            name: self.noise_scale[self.fields.index(name) :: n_channels] for name in self.names
        }

    @property
    def names(self) -> list[str]:
        """Of the fields, in order."""
        return list(dict.fromkeys(self.fields))

    @property
    def said(self) -> str:
        """The finding in a line."""
        factors = ", ".join(
            f"{name} {' '.join(f'{factor:.2f}' for factor in values)}"
            for name, values in self.factors.items()
        )
        before, after = (self.worst(when) for when in ("before", "after"))
        return f"noise times {factors}; spread over skill at worst {before:.2f}, now {after:.2f}"

    def worst(self, when: Literal["before", "after"]) -> float:
        """Spread over skill that is farthest from 1, of all fields and sides; NaN if none is."""
        values = [value for row in self.spread if (value := getattr(row, when))]
        return max(values, key=lambda value: abs(math.log(value)), default=math.nan)

    @property
    def measured(self) -> str:
        """All that was measured as aligned text."""
        head = (
            f"spread over skill by side of squares, before -> after ({self.windows} windows of "
            f"validation, {self.members} members)"
        )
        width = max(map(len, self.names))
        lines = [head]
        for name in self.names:
            rows = [row for row in self.spread if row.field == name]
            cells = [f"{r.side}: {said(r.before)} -> {said(r.after)}" for r in rows]
            lines.append(f"   {name:{width}s}  {'   '.join(cells)}")
        lines += [
            f"   {name:{width}s}  occupied {100 * share.before:.3g} -> {100 * share.after:.3g} %, "
            f"truth {100 * share.truth:.3g} %"
            for name, share in self.occupied.items()
        ]
        return "\n".join(lines)

    def require_fits(self, source: str | Path, fields: Sequence[str], noise_channels: int) -> None:
        """Refuse one of other channels.

        Parameters
        ----------
        source
            Where it was read, for the message.
        fields
            Field of each channel of the network.
        noise_channels
            Of the sampler.

        Raises
        ------
        DataError
            Other fields, or another number of factors.
        """
        if self.fields != tuple(fields):
            raise DataError(
                f"{source}:fields", f"those of the network, {', '.join(fields)}",
                ", ".join(self.fields), _AGAIN,
            )  # fmt: skip
        if len(self.noise_scale) != noise_channels:
            raise DataError(
                f"{source}:noise_scale",
                f"a factor for each of the {noise_channels} channels of the noise",
                f"{len(self.noise_scale)}",
                _AGAIN,
            )

    @property
    def correction(self) -> dict[str, tuple[float, ...]]:
        """What draws are corrected by, as files of members say it."""
        return {"noise_scale": self.noise_scale, "shift": self.shift}

    def write(self, folder: Path) -> None:
        """Write it into the folder of its bundle, atomically and sealed."""
        forget_verdict(folder)
        write_json(Path(folder) / CALIBRATION_FILE, self.model_dump(mode="json"))


def said(ratio: float | None) -> str:
    """A ratio, or a dash where it is not defined."""
    return "-" if ratio is None else f"{ratio:.2f}"


def read_calibration(folder: str | Path, weights_sha256: str) -> Calibration | None:
    """The calibration of a bundle; None if there is none.

    Parameters
    ----------
    folder
        Of the bundle.
    weights_sha256
        Of its weights, as ``model.json`` names them.

    Raises
    ------
    DataError
        If the file is damaged, no calibration, or one of other weights.
    """
    return read_beside(
        Path(folder) / CALIBRATION_FILE, Calibration, weights_sha256,
        made="a calibration by `emulator calibrate`", about="a calibration of", again=_AGAIN,
    )  # fmt: skip
