"""How far conditions lie from those of the training: a score of each window, and a policy for all.

See :mod:`emulator.model.seen_conditions` for what a score is. One window beyond the training is
rare and may be real; most windows of a map beyond it say that the map was made in another way. So
a batch is refused by its median, which a few rare windows do not move, and only a batch that is
large enough to have one.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from emulator.data.condition import Condition
from emulator.io import EmulatorError
from emulator.model.card import ModelCard
from emulator.model.condition_summaries import mean_mass, say_summary, summarise
from emulator.sampling.inputs import Policy

SCORE = "condition_score"
LEAST_WINDOWS = 8
"""Of a batch that is refused; of fewer, the median is that of one or two."""
UNUSUAL, FAR, FARTHER = 0.05, 0.01, 0.001
MEANING = "share of the training windows whose density PDF and power are more unusual; 0: none"


def check_conditions(
    condition: Condition, card: ModelCard, policy: Policy
) -> NDArray[np.float64] | None:
    """Scores ``(sample,)`` in [0, 1] of windows, after a word on those that no training had.

    None if the bundle does not know its training.

    Parameters
    ----------
    condition
        Windows of the grid of the model, Omega_m known.
    card
        Of the model.
    policy
        What to do with windows of another kind.

    Warns
    -----
    UserWarning
        If a window lies beyond all of the training, if eight windows or more lie beyond 95 % of it
        by their median (fewer: beyond 99.9 %), and for what is not refused by ``policy``.

    Raises
    ------
    EmulatorError
        If eight windows or more lie beyond 99 % of the training by their median.
    """
    seen = card.normalisation.conditions
    if seen is None:
        return None
    summaries = _summaries(condition, card)
    scores = seen.score(summaries)
    n_windows, median = len(scores), float(np.median(scores))
    many = n_windows >= LEAST_WINDOWS
    if median < (UNUSUAL if many else FARTHER):
        text = _say_far(scores, *seen.most_unusual(summaries), card)
        if many and median < FAR and policy == "raise":
            raise EmulatorError(f"{text}; pass out_of_range='warn' to draw nevertheless")
        warnings.warn(text, stacklevel=4)
    elif (scores <= 0.0).any():
        n_beyond = int((scores <= 0.0).sum())
        warnings.warn(
            f"condition: {n_beyond} of {n_windows} windows lie beyond every one of the "
            f"{seen.windows} of the training (sample {int(scores.argmin())} among them): what is "
            "drawn there is extrapolated",
            stacklevel=4,
        )
    return scores


def _summaries(condition: Condition, card: ModelCard) -> NDArray[np.float64]:
    grid, normalisation = card.matter_grid, card.normalisation
    of_unit = mean_mass(1.0, grid.pixel_mpch, grid.depth_mpch)
    return summarise(
        condition.field.numpy(), of_unit * normalisation.omega_m(condition.params.numpy())
    )


def _say_far(scores: NDArray[np.float64], summary: str, by: float, card: ModelCard) -> str:
    """What is unusual, and what that may come from."""
    kernel = card.matter_grid.deposit
    made = f"by the kernel {kernel}" if kernel else "as those of the training"
    return (
        f"condition: windows look unlike those of the training: half of the {len(scores)} are more "
        f"unusual than {1 - float(np.median(scores)):.2%} of them; most of all "
        f"{say_summary(summary)} is {by:+.1f} standard deviations from what the rest of a window "
        f"says. Are the maps deposited {made}, in the same pixels [Msun/h per pixel], not smoothed "
        "or resampled?"
    )
