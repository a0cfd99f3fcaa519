"""From an objective's name to the module that trains it."""

from emulator.config import ExperimentConfig
from emulator.model.build import Objective
from emulator.model.field_transform import FieldTransform
from emulator.networks.backbone import Backbone
from emulator.training.objectives.consistency import ConsistencyModule
from emulator.training.objectives.diffusion import DiffusionModule
from emulator.training.objectives.one_step import OneStepModule
from emulator.training.objectives.regression import RegressionModule
from emulator.training.objectives.residual import ResidualModule
from emulator.training.teacher import Teacher


def build_module(
    objective: Objective,
    network: Backbone,
    transform: FieldTransform,
    config: ExperimentConfig,
    *,
    seed: int,
    pixel_mpch: float,
    teacher: Teacher | None = None,
) -> DiffusionModule | OneStepModule | ConsistencyModule | RegressionModule:
    """Module of a network that is to be trained for an objective.

    Raises
    ------
    ValueError
        For ``consistency`` without a teacher.
    """
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
        case "consistency":
            if teacher is None:
                raise ValueError("a distillation needs a teacher")
            return ConsistencyModule(
                network, transform, training, config.diffusion, teacher.network,
                teacher.ladder(config), seed=seed, pixel_mpch=pixel_mpch,
            )  # fmt: skip
        case "regression":
            return RegressionModule(network, transform, training, seed=seed, pixel_mpch=pixel_mpch)
