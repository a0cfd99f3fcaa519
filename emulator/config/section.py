"""What all sections of a config share: immutable models that refuse unknown keys."""

import os
import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from emulator.io import DataError, EmulatorError, path_part

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]


class ConfigError(EmulatorError):
    """A config file that does not describe a valid experiment."""


class Section(BaseModel):
    """Base of all sections: immutable, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


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
