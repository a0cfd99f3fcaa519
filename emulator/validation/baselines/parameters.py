"""Parameters centred and scaled on the training simulations."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ParameterScale:
    """Zero mean and unit standard deviation over the training simulations.

    Attributes
    ----------
    names
        Parameters that every training simulation has, and that differ among them.
    logarithmic
        Which of them are taken as logarithms.
    mean, std
        ``(parameter,)`` of the value, or of its logarithm.
    """

    names: tuple[str, ...]
    logarithmic: frozenset[str]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @classmethod
    def of(
        cls, rows: Sequence[Mapping[str, float]], logarithmic: Collection[str]
    ) -> "ParameterScale":
        """Scale of the parameters of the training simulations, a row each."""
        shared = [name for name in rows[0] if all(name in row for row in rows)]
        logs = frozenset(
            name for name in shared if name in logarithmic and all(row[name] > 0 for row in rows)
        )
        table = np.array([[_value(row, name, logs) for name in shared] for row in rows])
        table = table.reshape(len(rows), len(shared))
        mean, std = table.mean(0), table.std(0)
        moves = std > 1.0e-9 * np.abs(mean)
        names = tuple(name for name, moving in zip(shared, moves, strict=True) if moving)
        return cls(names, logs, mean[moves], std[moves])

    def __call__(self, params: Mapping[str, float]) -> NDArray[np.float64]:
        """``(parameter,)`` of one simulation."""
        values = np.array([_value(params, name, self.logarithmic) for name in self.names])
        scaled: NDArray[np.float64] = (values - self.mean) / self.std
        return scaled


def _value(params: Mapping[str, float], name: str, logarithmic: Collection[str]) -> float:
    value = float(params[name])
    return float(np.log(value)) if name in logarithmic else value
