"""A whole experiment: reading, validating and writing config files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from emulator.config.arrays import fill_in_arrays, require_arrays
from emulator.config.audits import AuditsConfig
from emulator.config.auto_solver import AutoConfig
from emulator.config.blocks import BlocksConfig
from emulator.config.calibration import CalibrationConfig
from emulator.config.channels import Channel, resolve_channels
from emulator.config.consistency import ConsistencyConfig, teacher_bundle
from emulator.config.data import DataConfig
from emulator.config.diffusion import DiffusionConfig
from emulator.config.documents import read_document, shorten_error
from emulator.config.evaluation import SamplingConfig, ValidationConfig
from emulator.config.initial import faults_of_initial, initial_files
from emulator.config.model import EMBEDDED_PARAMETERS, ModelConfig
from emulator.config.one_step import OneStepConfig
from emulator.config.painting import PaintingConfig
from emulator.config.places import results_folder
from emulator.config.report import ReportConfig
from emulator.config.residual import ResidualConfig
from emulator.config.section import ConfigError, Section
from emulator.config.suites import OLD_KINDS, ArraysSuite, EmbeddedSuite, SuiteConfig
from emulator.config.suites.coarse import fill_in_coarse, require_params_of_gravity
from emulator.config.suites.redshifts import PARAMETER as REDSHIFT
from emulator.config.training import RegressionConfig, TrainingConfig
from emulator.config.volumes import require_volumes
from emulator.fields import with_total


class ExperimentConfig(Section):
    """A whole experiment."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$", description="names the folders of the results")
    suite: SuiteConfig = EmbeddedSuite()
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    residual: ResidualConfig = ResidualConfig()
    one_step: OneStepConfig = OneStepConfig()
    consistency: ConsistencyConfig = ConsistencyConfig()
    training: TrainingConfig = TrainingConfig()
    regression: RegressionConfig = RegressionConfig()
    sampling: SamplingConfig = SamplingConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    validation: ValidationConfig = ValidationConfig()
    audits: AuditsConfig = AuditsConfig()
    report: ReportConfig = ReportConfig()
    painting: PaintingConfig = PaintingConfig()
    blocks: BlocksConfig = BlocksConfig()

    @model_validator(mode="before")
    @classmethod
    def _old_names_of_kinds(cls, value: Any) -> Any:
        suite = value.get("suite") if isinstance(value, Mapping) else None
        if not isinstance(value, Mapping) or not isinstance(suite, Mapping):
            return value
        kind = suite.get("kind")
        if not isinstance(kind, str) or kind not in OLD_KINDS:
            return value
        return {**value, "suite": {**suite, "kind": OLD_KINDS[kind]}}

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_arrays(cls, value: Any) -> Any:
        return fill_in_arrays(value)

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_two_meshes(cls, value: Any) -> Any:
        return fill_in_coarse(value)

    @model_validator(mode="after")
    def _arrays_are_possible(self) -> "ExperimentConfig":
        suite = self.suite if "suite" in self.model_fields_set else None
        require_arrays(
            suite if isinstance(suite, ArraysSuite) else None,
            data=self.data,
            params=self.model.params,
            tilts={
                "training.mass_tilt": self.training.mass_tilt,
                "diffusion.mass_tilt": self.diffusion.mass_tilt,
                "one_step.mass_tilt": self.one_step.mass_tilt,
            },
            drop_context=self.diffusion.drop_context,
            objective=self.training.objective,
            paints=bool(self.painting.sources or self.painting.simulations),
            validation=self.validation,
        )
        return self

    @model_validator(mode="after")
    def _fields_can_be_made(self) -> "ExperimentConfig":
        if "suite" in self.model_fields_set:
            for field in self.data.targets:
                reason = self.suite.lacks(field)
                if reason is not None:
                    raise ValueError(f"data.fields: {field.name} cannot be made here: {reason}")
        return self

    @model_validator(mode="after")
    def _parameters_do_something(self) -> "ExperimentConfig":
        if isinstance(self.suite, EmbeddedSuite) and "suite" in self.model_fields_set:
            known = (*EMBEDDED_PARAMETERS, REDSHIFT)
            unknown = [name for name in self.model.params if name not in known]
            if unknown:
                raise ValueError(
                    f"model.params: expected parameters of the embedded suite "
                    f"({', '.join(known)}), got {', '.join(unknown)}"
                )
            require_params_of_gravity(self.suite, self.model.params)
        return self

    @model_validator(mode="after")
    def _redshift_is_told(self) -> "ExperimentConfig":
        if not {"suite", "model"} <= self.model_fields_set or not self.suite.has_twins:
            return self
        redshifts, is_told = self.suite.stated_redshifts, REDSHIFT in self.model.params
        if len(redshifts) > 1 and not is_told:
            raise ValueError(
                f"model.params: expected {REDSHIFT} among them, as suite.redshifts has "
                f"{', '.join(f'{z:g}' for z in redshifts)}, got {', '.join(self.model.params)}"
            )
        if is_told and self.suite.kind == "embedded" and len(redshifts) < 2:
            raise ValueError(
                f"model.params names {REDSHIFT}: expected several suite.redshifts, got "
                f"{list(redshifts)}, of which nothing is learned"
            )
        return self

    @model_validator(mode="after")
    def _bars_are_of_fields(self) -> "ExperimentConfig":
        if "validation" in self.model_fields_set:
            names = [field.name for field in with_total(self.data.targets)]
            for bar in ("power", "mass"):
                given = getattr(self.validation.bars, bar)
                unknown = [name for name in given if name not in names]
                if unknown:
                    raise ValueError(
                        f"validation.bars.{bar} names {unknown}; there are {', '.join(names)}"
                    )
        return self

    @model_validator(mode="after")
    def _boxes_can_be_painted(self) -> "ExperimentConfig":
        self.painting.boxes(self.suite)
        faults = (
            self.painting.faults(self.model.params, "model.params")
            if self.painting.model is None
            else []
        )
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @model_validator(mode="after")
    def _earlier_runs_are_others(self) -> "ExperimentConfig":
        if faults := self.report.faults(results_folder(self.name)):
            raise ValueError("; ".join(faults))
        return self

    @model_validator(mode="after")
    def _volumes_are_possible(self) -> "ExperimentConfig":
        require_volumes(
            self.data,
            self.suite,
            objective=self.training.objective,
            sampling=self.sampling,
            calibration=self.calibration,
            painting=self.painting,
        )
        return self

    @model_validator(mode="after")
    def _channels_are_fields(self) -> "ExperimentConfig":
        resolve_channels(self.model.channels, self.data.targets)
        return self

    @property
    def n_further(self) -> int:
        """Layers that a network is given beside the first condition."""
        suite = self.suite
        further = len(suite.conditions) - 1 if isinstance(suite, ArraysSuite) else 0
        return len(self.data.context_factors) + further

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What the model draws, with the rows of its fields."""
        return resolve_channels(self.model.channels, self.data.targets)

    @model_validator(mode="after")
    def _regression_ends_with_an_epoch(self) -> "ExperimentConfig":
        steps, epoch = self.regression.max_steps, self.training.checkpoint_steps
        if steps > epoch and steps % epoch:
            raise ValueError(
                f"regression.max_steps ({steps}) must be a multiple of training.checkpoint_steps "
                f"({epoch})"
            )
        return self

    @model_validator(mode="after")
    def _objective_can_do_what_is_asked(self) -> "ExperimentConfig":
        if self.training.objective == "diffusion":
            return self
        if self.training.objective == "residual":
            return self._residual_can_do_what_is_asked()
        refused = {
            "sampling.solver auto": isinstance(self.sampling.solver, AutoConfig),
            "sampling.start spectrum": self.sampling.start == "spectrum",
            "sampling.guidance_scale": self.sampling.guidance_scale != 1.0,
            "diffusion.drop_params": self.diffusion.drop_params > 0,
            "diffusion.drop_each_param": self.diffusion.drop_each_param > 0,
            "diffusion.drop_context": self.diffusion.drop_context > 0,
            "training.parameter_head_weight": self.training.parameter_head_weight > 0,
        }
        asked = [key for key, is_asked in refused.items() if is_asked]
        if asked:
            raise ValueError(
                f"training.objective {self.training.objective} draws in a pass or a few and knows "
                f"nothing of {', '.join(asked)}: leave it out, or set training.objective to "
                "diffusion"
            )
        return self

    def _residual_can_do_what_is_asked(self) -> "ExperimentConfig":
        if self.sampling.guidance_scale != 1.0:
            raise ValueError(
                f"sampling.guidance_scale is {self.sampling.guidance_scale:g}, and with "
                "training.objective residual what is drawn with and without a condition has "
                "different means: set it to 1, or training.objective to diffusion"
            )
        if self.sampling.start == "spectrum":
            raise ValueError(
                "sampling.start: spectrum needs spectra of what is diffused, and with "
                "training.objective residual they are known only once it is trained: leave start "
                "as it is, or set training.objective to diffusion"
            )
        if self.training.parameter_head_weight > 0:
            raise ValueError(
                "training.parameter_head_weight reads parameters off the fields, and with "
                "training.objective residual the network sees what they leave: set it to 0, or "
                "training.objective to diffusion"
            )
        return self

    @model_validator(mode="after")
    def _fine_tuning_is_possible(self) -> "ExperimentConfig":
        if faults := faults_of_initial(self):
            raise ValueError("; ".join(faults))
        return self

    @model_validator(mode="after")
    def _distillation_is_possible(self) -> "ExperimentConfig":
        if self.training.objective != "consistency":
            return self
        ends = self.diffusion.gamma_min, self.diffusion.gamma_max
        faults = self.consistency.faults(results_folder(self.name), *ends)
        if self.diffusion.prediction == "eps":
            faults.append(
                "diffusion.prediction eps says nothing of the data at pure noise, where a "
                "consistency model begins: distil a teacher with another one (v)"
            )
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @model_validator(mode="after")
    def _network_fits_the_windows(self) -> "ExperimentConfig":
        network, shape = self.model.network, self.data.window_shape
        network.require_dimensions(self.data.dimensions)
        if any(side % network.factor for side in shape):
            key = "window" if self.data.shape is None else "shape"
            given = self.data.window if self.data.shape is None else list(shape)
            raise ValueError(
                f"data.{key} ({given}) must be a multiple of {network.factor}, to which "
                "model.network folds and halves it"
            )
        if network.needs_context and not self.data.context_factors:
            raise ValueError(
                "model.network.cross_attention_levels needs data.context_factors; there are none"
            )
        return self


STAGE_SECTIONS: dict[str, tuple[str, ...]] = {
    "simulate": ("suite",),
    "project": ("suite", "data"),
    "fit": ("suite", "data", "model"),
    "train": ("data", "model", "diffusion", "residual", "one_step", "consistency", "training"),
    "regress": ("data", "model", "training", "regression"),
    "tune": ("data", "sampling", "validation"),
    "calibrate": ("data", "sampling", "calibration"),
    "sample": ("suite", "data", "sampling", "calibration"),
    "audit": ("suite", "data", "sampling", "calibration", "audits"),
    "validate": ("suite", "data", "regression", "validation"),
    "paint": ("sampling",),
}
"""Sections that each stage reads. A stage is rerun only when one of its sections changes.

The section ``blocks`` is read by the workflow alone: it changes no result; ``painting`` and
``report``, too, which tell commands what they need as options.
"""


def parse_config(raw: Mapping[str, Any], *, source: str = "config") -> ExperimentConfig:
    """Validate a mapping; a fault is a :class:`ConfigError` that names every bad key."""
    try:
        return ExperimentConfig.model_validate(raw)
    except ValidationError as error:
        count = f"{source}: {error.error_count()} problem(s) in the configuration"
        raise ConfigError(f"{count}\n{shorten_error(error, ExperimentConfig)}") from error


def read_config(path: str | Path, *, twins_for: str | None = None) -> ExperimentConfig:
    """Read and validate a YAML config file.

    Parameters
    ----------
    path
        The file.
    twins_for
        What hydrodynamic twins are needed for, if they are: a suite without is then refused.
    """
    config = parse_config(read_document(path), source=str(path))
    if twins_for is not None:
        require_twins(config, twins_for, source=str(path))
    return config


def require_twins(config: ExperimentConfig, what: str, *, source: str = "config") -> None:
    """Refuse what cannot be done with dark-matter-only runs alone.

    Raises
    ------
    ConfigError
        A suite without hydrodynamic twins.
    """
    if config.suite.has_twins:
        return
    raise ConfigError(
        f"{source}: suite.layout.hydro_snapshot: expected the hydrodynamic twins that are needed "
        f"to {what}, got null: these dark-matter-only runs are targets to be painted. Name a "
        "trained model in painting.model and ask for the target `paint` (or `emulator "
        f"project`, then `emulator paint MODEL MAPS`); to {what}, give the snapshots of the twins"
    )


def stage_yaml(config: ExperimentConfig, stage: str) -> str:
    """Return the resolved config of one stage: its name and only the sections it reads."""
    dump = config.model_dump(mode="json")
    # a model depends on its own seed, which its job is told, and not on which others there are
    dump["training"].pop("seeds")
    if stage == "regress":  # the same baseline for whatever the model is trained for
        dump["training"].pop("objective")
        dump["training"].pop("initial", None)
    return yaml.safe_dump(
        {key: dump[key] for key in ("name", *STAGE_SECTIONS[stage])}, sort_keys=False
    )


def teacher_files(config: ExperimentConfig) -> list[str]:
    """Files of the bundle that a training begins with: of a teacher, or of a fine-tuning; or none.

    Raises
    ------
    ConfigError
        If there is no such bundle, or a fine-tuning is none of its model.
    """
    if config.training.objective != "consistency":
        return initial_files(config)
    folder = teacher_bundle(config.consistency)
    return [str(folder / name) for name in ("model.json", "weights.safetensors")]


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of :class:`ExperimentConfig` with the ``$schema`` key tools need."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ExperimentConfig.model_json_schema(),
    }
