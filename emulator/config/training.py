"""Optimisation: of the model, and of the regression that it is compared with."""

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from emulator.config.names import ObjectiveName
from emulator.config.section import FilePath, Fraction, Section


class EarlyStoppingConfig(Section):
    """Stop where a metric of the history has not improved for a while."""

    metric: str = Field("val_loss", description="column of history.csv; the smaller, the better")
    patience: PositiveInt = Field(10, description="epochs without improvement")


class TrainingConfig(Section):
    """Optimisation. Everything random is a function of (seed, step): a resumed run is the same."""

    seeds: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)] = Field(
        (0,),
        description="one model is trained for each: their differences are the uncertainty of the "
        "model itself, beside that of what it draws",
    )
    objective: ObjectiveName = Field(
        "diffusion",
        description="diffusion: members are drawn by a solver (section diffusion); one_step: in "
        "one pass, trained by a proper score (section one_step); consistency: in a few passes, "
        "distilled from a diffusion (section consistency)",
    )
    initial: FilePath | None = Field(
        None,
        description="fine-tuning: bundle whose weights the training begins with, of another suite "
        "and the same channels, network and pixels; its statistics stay",
    )
    max_steps: PositiveInt = Field(1000, description="steps of the optimiser")
    checkpoint_steps: PositiveInt = Field(
        50, description="steps between resume states; also the length of a logged epoch"
    )
    batch_size: PositiveInt = Field(64, description="windows a step, over all devices and parts")
    accumulate: PositiveInt = Field(
        1, description="parts that a step is computed in: the same training with less memory"
    )
    accelerator: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="auto: a GPU if there is one; gpu: an error if there is none"
    )
    threads: PositiveInt | None = Field(
        None,
        description="threads of a training on a CPU; null: as many as its job has. Sums are "
        "rounded in another order by another number: equal weights to the bit need equal threads",
    )
    devices: PositiveInt = Field(1, description="devices of each node that share every step")
    num_nodes: PositiveInt = Field(1, description="nodes that share every step")
    optimiser: Literal["adamw", "muon"] = Field(
        "adamw",
        description="muon: matrices inside the network take orthogonal steps, all else AdamW's; "
        "fewer steps to the same loss, at the same learning rate",
    )
    learning_rate: PositiveFloat = Field(1.0e-3, description="largest, after the warm-up")
    warmup_steps: NonNegativeInt = Field(
        50, description="steps in which the learning rate rises from 0"
    )
    decay: Literal["cosine", "linear", "inverse_sqrt", "constant"] = Field(
        "cosine", description="how the learning rate falls after the warm-up; to zero or not at all"
    )
    weight_decay: NonNegativeFloat = Field(
        0.01, description="of AdamW, decoupled from the gradient"
    )
    gradient_clip: PositiveFloat = Field(1.0, description="largest norm of a gradient")
    parameter_head_weight: NonNegativeFloat = Field(
        0.0,
        description="weight of an auxiliary regression of the parameters from what the first layer "
        "sees of the fields (0: none); it is not part of the model",
    )
    ema: Literal["exponential", "power"] = Field(
        "exponential",
        description="average of the weights that is exported; power: its length is chosen after "
        "training, by val_loss, from a few shares of the training",
    )
    ema_decay: Fraction = Field(
        0.998, description="ceiling of min(decay, (n+1)/(n+20)) of an exponential average"
    )
    precision: Literal["32", "bf16"] = Field(
        "bf16", description="of the arithmetic in training; weights are of 32 bits"
    )
    mass_tilt: NonNegativeFloat = Field(
        0.5, description="windows are drawn with probability ~ (DMO mass in the window)^mass_tilt"
    )
    validation_windows: PositiveInt = Field(128, description="windows of the validation bound")
    ensemble_every: NonNegativeInt = Field(
        5,
        description="epochs between small ensembles of validation windows, whose power and spread "
        "are logged; 0: never",
    )
    early_stopping: EarlyStoppingConfig | None = Field(
        None, description="stop before max_steps where a logged metric no longer improves"
    )
    tensorboard: bool = Field(
        False, description="also write scalars and images for TensorBoard (needs that package)"
    )
    cache: Literal["memory", "none"] = Field(
        "memory",
        description="memory: all maps are held in memory; none: windows are read from disk",
    )
    loader_workers: NonNegativeInt = Field(
        0, description="processes that make batches ahead of the network; 0: the main process does"
    )

    @model_serializer(mode="wrap")
    def _without_a_beginning(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A training from random weights is written as it was before there were others."""
        written: dict[str, Any] = handler(self)
        if self.initial is None:
            written.pop("initial", None)
        return written

    @model_validator(mode="after")
    def _numbers_agree(self) -> "TrainingConfig":
        if self.max_steps % self.checkpoint_steps:
            raise ValueError(
                f"max_steps ({self.max_steps}) must be a multiple of checkpoint_steps "
                f"({self.checkpoint_steps})"
            )
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must not repeat, got {list(self.seeds)}")
        shares = self.accumulate * self.devices * self.num_nodes
        if self.batch_size % shares:
            raise ValueError(
                f"batch_size ({self.batch_size}) must be a multiple of accumulate x devices x "
                f"num_nodes ({self.accumulate} x {self.devices} x {self.num_nodes} = {shares})"
            )
        return self


class RegressionConfig(Section):
    """A baseline: the network of the model, trained in one pass to the mean given the condition.

    All else is as in ``training``, but for what belongs to noise: early stopping, small ensembles,
    the auxiliary head and dropped conditions are left out.
    """

    max_steps: NonNegativeInt = Field(
        0,
        description="steps of its training, fewer than training.checkpoint_steps or a multiple of "
        "them; 0: no such baseline",
    )
    seed: NonNegativeInt = Field(0, description="of its weights and windows")
