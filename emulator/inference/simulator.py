"""A trained model as a simulator: from parameters to summaries of the fields that it draws.

What is known is the dark-matter-only run: windows, and the parameters that it was made with. What
is not known is drawn from the prior, and fields from the model. `simulator(theta)` is all that a
library of simulation-based inference asks for, beside `simulator.prior`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emulator.config import SamplingConfig
from emulator.data.condition import Condition
from emulator.inference.interface import Model
from emulator.inference.prior import BoxPrior, build_prior
from emulator.inference.summaries import NAMES, Summaries
from emulator.io import EmulatorError
from emulator.progress import Progress

BLOCK = 1024
"""Windows that are drawn at once."""


class Simulator:
    """Draws fields at parameters, and says their summaries.

    Parameters
    ----------
    model
        Draws the fields.
    condition
        Windows; columns of known parameters hold their values in every row, the others anything.
    ranges
        See :func:`emulator.inference.prior.build_prior`.
    known
        Names of the parameters that are known.
    summaries
        Some of :data:`emulator.inference.summaries.NAMES`.
    together
        All windows are of one set of parameters: ``x`` is the mean of their summaries. Otherwise
        one window is drawn for each ``theta``, in turn, and ``x`` also says which: summaries of
        its DMO maps, and its known parameters. What is learned from it then holds for any window
        of that kind.
    seed
        Of the noise. Every row of every call has its own: the first call of a new simulator is a
        function of it, the second continues.
    sampling, out_of_range
        See :meth:`BaseEmulator.sample`.
    progress
        Print a progress line on standard error.
    """

    def __init__(
        self,
        model: Model,
        condition: Condition,
        known: Sequence[str],
        *,
        ranges: Mapping[str, tuple[float, float]] | None = None,
        summaries: Sequence[str] = NAMES,
        together: bool = True,
        seed: int = 0,
        sampling: SamplingConfig | None = None,
        out_of_range: Any = "raise",
        progress: bool = False,
    ) -> None:
        names = list(model.card.normalisation.params)
        self.model, self.condition, self.together = model, condition, together
        self.free = [names.index(name) for name in names if name not in known]
        self.given = [names.index(name) for name in names if name in known]
        first = condition.params[0].tolist()
        values = {names[place]: first[place] for place in self.given}
        self.prior: BoxPrior = build_prior(model.card.normalisation, values, ranges)
        self.summaries = Summaries(model.card, summaries)
        self.seed, self.sampling, self.out_of_range = seed, sampling, out_of_range
        self.progress, self.drawn = progress, 0

    @property
    def n_windows(self) -> int:
        """Windows of the condition."""
        return len(self.condition.field)

    def __call__(self, theta: Tensor) -> Tensor:
        """Summaries of fields at parameters.

        Parameters
        ----------
        theta
            Physical values of the free parameters, ``(batch, param)`` or ``(param,)``, in the order
            of ``prior.names``.

        Returns
        -------
        ``(batch, number)`` or ``(number,)``, float32.

        Raises
        ------
        EmulatorError
            For another shape, and for what the model refuses.
        """
        rows = theta.detach().cpu().double()
        alone = rows.ndim == 1
        rows = rows[None] if alone else rows
        if rows.ndim != 2 or rows.shape[1] != len(self.free):
            raise EmulatorError(
                f"theta: expected (batch, {len(self.free)}) values of {list(self.prior.names)}, "
                f"got {tuple(theta.shape)}"
            )
        each = self.n_windows if self.together else 1
        windows = (self.drawn * each + np.arange(len(rows) * each)) % self.n_windows
        table = self.condition.params[windows].clone()
        table[:, self.free] = rows.repeat_interleave(each, 0)
        names = [f"simulation {self.seed} {self.drawn + i}" for i in range(len(rows))]
        # windows of one simulation have noise of their own, too
        names = [f"{name} window {w}" for name in names for w in range(each)]
        found = self._summarise(windows, table, names)
        self.drawn += len(rows)
        if self.together:
            found = found.reshape(len(rows), each, -1).mean(1)
        x = torch.from_numpy(found.astype(np.float32))
        return x[0] if alone else x

    def observe(self, fields: np.ndarray) -> Tensor:
        """What is observed, as :meth:`__call__` would say it.

        Parameters
        ----------
        fields
            ``(sample, channel, y, x)`` of all windows, in the units of the fields.

        Returns
        -------
        ``(1, number)`` of windows together, else ``(sample, number)``.
        """
        found = self._numbers(fields, np.arange(self.n_windows))
        found = found.mean(0, keepdims=True) if self.together else found
        return torch.from_numpy(found.astype(np.float32))

    def _summarise(self, windows: np.ndarray, table: Tensor, names: Sequence[str]) -> np.ndarray:
        line = Progress("simulate", len(windows)) if self.progress else None
        parts = []
        for first in range(0, len(windows), BLOCK):
            here = slice(first, first + BLOCK)
            own = windows[here]
            drawn = self.model.sample(
                self.condition.field[own].numpy(),
                table[here].numpy(),
                large_scale=self.condition.context[own].numpy(),
                n_members=1,
                seed=self.seed,
                noise_of=names[here],
                out_of_range=self.out_of_range,
                sampling=self.sampling,
            )
            parts.append(self._numbers(drawn["fields"].values[:, 0], own))
            if line is not None:
                line.advance(len(own))
        return np.concatenate(parts)

    def _numbers(self, fields: np.ndarray, windows: np.ndarray) -> np.ndarray:
        chosen = self.condition.rows(windows.tolist())
        found = self.summaries.of_fields(fields, chosen.field.numpy())
        if self.together:
            return found
        known = self.model.card.normalisation.scale_params(chosen.params)[:, self.given]
        return np.concatenate([found, self.summaries.of_condition(chosen), known.numpy()], axis=1)
