"""From an objective's name to the module that trains it."""

from emulator.config import ExperimentConfig
from emulator.model.build import Objective
from emulator.model.field_transform import FieldTransform
from emulator.networks.backbone import Backbone
from emulator.training.objectives.diffusion import DiffusionModule
from emulator.training.objectives.one_step import OneStepModule
from emulator.training.objectives.regression import RegressionModule
from emulator.training.objectives.residual import ResidualModule


def build_module(
    objective: Objective,
    network: Backbone,
    transform: FieldTransform,
    config: ExperimentConfig,
    *,
    seed: int,
    pixel_mpch: float,
) -> DiffusionModule | OneStepModule | RegressionModule:
    """Module of a network that is to be trained for an objective."""
    training = config.training
    match objective:
        case "diffusion":
            return DiffusionModule(
                network, transform, training, config.diffusion, seed=seed, pixel_mpch=pixel_mpch
            )
        case "residual":
            return ResidualModule(
                network, transform, training, config.diffusion, config.residual,
                seed=seed, pixel_mpch=pixel_mpch,
            )  # fmt: skip
        case "one_step":
            return OneStepModule(
                network, transform, training, config.one_step, seed=seed, pixel_mpch=pixel_mpch
            )
        case "regression":
            return RegressionModule(network, transform, training, seed=seed, pixel_mpch=pixel_mpch)
