"""Numbers and options of a call: how many members, which seed, which solver."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import ValidationError

from emulator.config import SamplingConfig
from emulator.config.documents import shorten_error
from emulator.config.section import ConfigError
from emulator.io import EmulatorError


def require_numbers(*, n_members: Any = 1, first_member: Any = 0, seed: Any = 0) -> None:
    """Refuse numbers of members and seeds that are none.

    Raises
    ------
    EmulatorError
        Anything but integers; fewer than one member; a negative number.
    """
    least = {"n_members": (n_members, 1), "first_member": (first_member, 0), "seed": (seed, 0)}
    for name, (value, low) in least.items():
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
            raise EmulatorError(f"{name}: expected an integer, got {value!r}")
        if value < low:
            raise EmulatorError(f"{name}: expected an integer of at least {low}, got {value}")


def as_sampling(asked: Any) -> SamplingConfig | None:
    """Options of sampling, or a mapping as the section ``sampling`` of a config holds it.

    Raises
    ------
    ConfigError
        What the section does not allow, key by key.
    EmulatorError
        Neither a mapping nor a :class:`SamplingConfig`.
    """
    if asked is None or isinstance(asked, SamplingConfig):
        return asked
    if not isinstance(asked, Mapping):
        raise EmulatorError(
            "sampling: expected a SamplingConfig or a mapping of its keys, as {'solver': 'ddim', "
            f"'n_steps': 50}}, got {type(asked).__name__}"
        )
    try:
        return SamplingConfig.model_validate(asked)
    except ValidationError as error:
        raise ConfigError(f"sampling:\n{shorten_error(error, SamplingConfig)}") from error
