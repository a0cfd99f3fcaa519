"""Painted members that hold known sums of mass: each is scaled as it is drawn.

See :mod:`emulator.sampling.sums` for what that does to a member.
"""

import json
from typing import TYPE_CHECKING

import numpy as np
import torch

from emulator.fields import Field
from emulator.progress import Progress
from emulator.sampling.cf import describe
from emulator.sampling.inputs import Policy
from emulator.sampling.painting.any_painter import AnyPainter
from emulator.sampling.sums import FACTOR, Sums, hold_sums

if TYPE_CHECKING:
    import xarray as xr


class HeldPainter(AnyPainter):
    """A painter of one map, whose members hold known sums.

    Parameters
    ----------
    painter
        That draws the members.
    sums
        Of one window, the box: see :func:`~emulator.sampling.sums.check_sums`.
    fields
        Of the channels.
    policy
        See :func:`~emulator.sampling.sums.hold_sums`.
    """

    def __init__(
        self, painter: AnyPainter, sums: Sums, fields: list[Field], policy: Policy = "raise"
    ) -> None:
        self.painter, self.sums, self.fields, self.policy = painter, sums, fields, policy
        self.factors: dict[int, np.ndarray] = {}
        """``(sum,)``, by which each member that was drawn here was scaled."""

    @property
    def passes(self) -> int:
        """Windows that the network sees for a member."""
        return self.painter.passes

    def draw(self, member: int, progress: Progress | None = None) -> np.ndarray:
        """One member, ``(channel, y, x)``, that holds the sums.

        Raises
        ------
        EmulatorError
            A member that cannot be scaled to them; see :func:`~emulator.sampling.sums.hold_sums`.
        """
        drawn = np.ascontiguousarray(self.painter.draw(member, progress))
        held, factors = hold_sums(
            torch.from_numpy(drawn)[None, None], self.sums, self.fields, self.policy,
            first_member=member,
        )  # fmt: skip
        self.factors[member] = factors[:, 0, 0].numpy()
        scaled: np.ndarray = held[0, 0].numpy()
        return scaled

    @property
    def nothing(self) -> np.ndarray:
        """A member that is zero everywhere, for labels alone."""
        return self.painter.nothing

    def label(self, values: np.ndarray, members: list[int]) -> "xr.Dataset":
        """Dataset of members ``(member, channel, y, x)``, with ``sum_factor (sum, member)``.

        The factor of a member that was not drawn here is NaN.
        """
        unknown = np.full(len(self.sums), np.nan)
        factors = np.stack([self.factors.get(member, unknown) for member in members], axis=1)
        labelled = self.painter.label(values, members).assign_coords(sum=list(self.sums))
        said = {name: value.tolist() for name, value in self.sums.items()}
        return describe(
            labelled.assign({FACTOR: (("sum", "member"), factors)}).assign_attrs(
                constraints=json.dumps(said)
            )
        )
