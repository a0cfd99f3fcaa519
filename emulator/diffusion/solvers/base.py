"""What all solvers share: the walk down the grid, its memory, and the check of every evaluation."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from emulator.diffusion.parameterization import Denoiser, Prediction

NoiseSource = Callable[[], Tensor]
"""Returns fresh unit noise of the shape of ``z``; only stochastic solvers call it."""

Evaluate = Callable[[Tensor, float], Prediction]
"""``evaluate(z, gamma)``: the denoiser at one gamma for the whole batch."""


class Node(NamedTuple):
    """A node that was passed: its gamma, the field there, and the value that the solver kept."""

    gamma: float
    z: Tensor
    value: Tensor


Past = deque[Node]


class NonFiniteError(FloatingPointError):
    """A denoiser returned NaN or infinity; says at which step and gamma, and in which rows.

    Attributes
    ----------
    step, gamma, rows
        Evaluation (from 0), noise level, and rows of the batch.
    """

    def __init__(self, step: int, gamma: float, rows: Sequence[int]) -> None:
        self.step, self.gamma, self.rows = step, gamma, list(rows)
        super().__init__(
            f"the network returned NaN or infinity at evaluation {step}, gamma = {gamma:.4g}, in "
            f"rows {self.rows} of the batch"
        )


class Solver(ABC):
    """From one gamma to the next; a subclass states its formula."""

    @property
    def evaluations(self) -> int:
        """Network evaluations a step."""
        return 1

    @property
    def memory(self) -> int:
        """Nodes that a step looks back on."""
        return 0

    @abstractmethod
    def step(
        self,
        z: Tensor,
        gamma: float,
        gamma_next: float,
        evaluate: Evaluate,
        past: Past,
        noise: NoiseSource,
    ) -> Tensor:
        """Field at ``gamma_next`` from ``z`` at ``gamma > gamma_next``; may append to ``past``."""

    def nodes(self, budget: int) -> int:
        """Nodes of the grid that ``budget`` network evaluations pay for; the last costs one.

        Raises
        ------
        ValueError
            For a budget below one.
        """
        if budget < 1:
            raise ValueError(f"sampling needs at least one network evaluation, got {budget}")
        return 1 + (budget - 1) // self.evaluations


def solve(
    solver: Solver, denoiser: Denoiser, z: Tensor, gammas: Sequence[float], noise: NoiseSource
) -> Tensor:
    r"""Walk down the grid and return :math:`\hat x` at its last node.

    Parameters
    ----------
    solver
        What one step is.
    denoiser
        Denoiser of a batch.
    z
        Unit noise (or a draw of the marginal at ``gammas[0]``), ``(batch, channel, ...)``.
    gammas
        Decreasing grid.
    noise
        Source of fresh unit noise.

    Raises
    ------
    NonFiniteError
        As soon as the denoiser returns NaN or infinity.
    """
    count = 0

    def evaluate(field: Tensor, gamma: float) -> Prediction:
        nonlocal count
        levels = torch.full((len(field),), gamma, dtype=field.dtype, device=field.device)
        prediction = denoiser(field, levels)
        # one reduction over the batch; which rows are at fault is asked only where there is one
        if not bool(torch.isfinite(prediction.x.sum())):
            finite = torch.isfinite(prediction.x).flatten(1).all(1)
            if not bool(finite.all()):
                raise NonFiniteError(count, gamma, (~finite).nonzero()[:, 0].tolist())
        count += 1
        return prediction

    past: Past = deque(maxlen=max(solver.memory, 1))
    for gamma, gamma_next in pairwise(gammas):
        z = solver.step(z, gamma, gamma_next, evaluate, past, noise)
    return evaluate(z, gammas[-1]).x


def combine(*terms: tuple[float, Tensor]) -> Tensor:
    """Linear combination of fields, written once and read once a term: nothing is copied."""
    (first, field), *rest = terms
    total = torch.mul(field, first)
    for factor, other in rest:
        total.add_(other, alpha=factor)
    return total
