"""What all sections of a config share: immutable models that refuse unknown keys."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from emulator.io import EmulatorError

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]


class ConfigError(EmulatorError):
    """A config file that does not describe a valid experiment."""


class Section(BaseModel):
    """Base of all sections: immutable, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
