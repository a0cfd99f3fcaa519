"""The cheapest setting whose error fits the budget."""

from collections.abc import Sequence

from emulator.config import AutoConfig
from emulator.io import EmulatorError
from emulator.model.found_solver import Measured


def excess_of(row: Measured, budget: AutoConfig) -> float:
    """Error in units of its budget, the larger of both; infinite where there is none."""
    return max(
        row.largest_spectrum_error / budget.spectrum_error,
        row.largest_crps_change / budget.crps_error,
    )


def choose(table: Sequence[Measured], budget: AutoConfig) -> tuple[Measured, bool]:
    """The setting of fewest evaluations that fits, and stays so.

    An error that changes its sign with the number of evaluations passes through zero before it has
    converged. So a setting counts as fitting only if its solver fits with all larger numbers that
    were measured, too. Among settings of as many evaluations the smaller error wins: the time of
    one is that of its evaluations, on every machine.

    Parameters
    ----------
    table
        What was measured.
    budget
        ``spectrum_error`` and ``crps_error``.

    Returns
    -------
    The setting, and whether it fits; if none does, the one of the smallest error.

    Raises
    ------
    EmulatorError
        If no setting drew fields at all.
    """
    excess = {row.setting: excess_of(row, budget) for row in table}
    sound = [row for row in table if row.fault is None]
    if not sound:
        raise EmulatorError(
            "tune: no candidate draws fields that can be, so none is a solver of this model; the "
            f"first says: {table[0].fault}"
        )
    fitting = [
        row
        for row in sound
        if all(
            excess[other.setting] <= 1.0
            for other in table
            if other.setting.candidate == row.setting.candidate
            and other.setting.n_steps >= row.setting.n_steps
        )
    ]
    if fitting:
        return min(fitting, key=lambda row: (row.setting.n_steps, excess[row.setting])), True
    return min(sound, key=lambda row: (excess[row.setting], row.setting.n_steps)), False
