"""What all sections of a config share: immutable models that refuse unknown keys."""

import os
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from emulator.io.errors import DataError, EmulatorError
from emulator.io.names import path_part

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Scale = Annotated[float, Field(ge=1.0e-6, le=1.0e6)]
"""A positive number of ordinary size: what is beyond it overflows somewhere later."""

Gamma = Annotated[float, Field(ge=-60.0, le=60.0)]
"""A noise level; float32 knows no SNR beyond these."""

Width = Annotated[int, Field(ge=1, le=8192)]
Count = Annotated[int, Field(ge=1, le=256)]
"""Sizes of networks: larger ones are typing errors, or somebody who wants your memory."""


class ConfigError(EmulatorError):
    """A config file that does not describe a valid experiment."""


class Section(BaseModel):
    """Base of all sections: immutable, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def renamed(value: Any, old: str, new: str) -> Any:
    """A mapping with the old name of a key replaced, if only that is there; for old documents."""
    if not isinstance(value, dict) or old not in value or new in value:
        return value
    return {(new if key == old else key): entry for key, entry in value.items()}


def checked_part(name: str, what: str) -> str:
    """A name that becomes part of a path, as a pydantic validator wants it."""
    try:
        return path_part(name, what)
    except DataError as error:
        raise ValueError(str(error)) from error


def expand_path(path: str) -> str:
    """Expand ``~`` and ``$VARIABLES``, as the shell does where it is asked.

    Raises
    ------
    ValueError
        A variable that is not set, an unknown user, or control characters.
    """
    expanded = os.path.expandvars(os.path.expanduser(path))
    unset = re.findall(r"\$(?:\w+|\{\w+\})", expanded)
    if unset and not os.path.lexists(expanded):
        raise ValueError(f"{', '.join(unset)} in {path!r} is not set")
    if expanded.startswith("~"):
        raise ValueError(f"no home folder for {path!r}")
    if not expanded or not expanded.isprintable():
        raise ValueError(f"no path: {path[:80]!r}")
    return expanded


FilePath = Annotated[str, AfterValidator(expand_path)]
"""A path in a config; ``~`` and variables are expanded."""
