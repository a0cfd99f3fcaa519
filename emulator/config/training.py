"""Optimisation."""

from typing import Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from emulator.config.section import Fraction, Section


class TrainingConfig(Section):
    """Optimisation. Everything random is a function of (seed, step): a resumed run is the same."""

    seed: NonNegativeInt = 0
    max_steps: PositiveInt = 1000
    checkpoint_steps: PositiveInt = Field(
        50, description="steps between resume states; also the length of a logged epoch"
    )
    batch_size: PositiveInt = 64
    learning_rate: PositiveFloat = 1.0e-3
    warmup_steps: NonNegativeInt = 50
    weight_decay: NonNegativeFloat = 0.01
    gradient_clip: PositiveFloat = 1.0
    ema_decay: Fraction = Field(0.998, description="ceiling of min(decay, (n+1)/(n+20))")
    precision: Literal["32", "bf16"] = "bf16"
    mass_tilt: NonNegativeFloat = Field(
        0.5, description="windows are drawn with probability ~ (DMO mass in the window)^mass_tilt"
    )
    validation_windows: PositiveInt = Field(128, description="windows of the validation bound")
    cache: Literal["memory", "none"] = Field(
        "memory",
        description="memory: all maps are held in memory; none: windows are read from disk",
    )
    loader_workers: NonNegativeInt = Field(
        0, description="processes that make batches ahead of the network; 0: the main process does"
    )

    @model_validator(mode="after")
    def _steps_agree(self) -> "TrainingConfig":
        if self.max_steps % self.checkpoint_steps:
            raise ValueError(
                f"max_steps ({self.max_steps}) must be a multiple of checkpoint_steps "
                f"({self.checkpoint_steps})"
            )
        return self
