"""Configuration: *what* is run, as frozen models; one place, validated before any job starts.

A config file holds the sections ``suite, data, model, diffusion, one_step, training, regression,
sampling, calibration, validation, audits, report, painting`` and ``blocks``. It says nothing about
machines or output folders: those belong to Snakemake profiles and to the command line. An unknown
key is an error that names its path. Every stage reads only the sections listed in
:data:`STAGE_SECTIONS`, so that changing one reruns only what depends on it.

This module imports neither torch nor numpy: the workflow parses it at every call.
"""

from emulator.config.agreement import OF_TRAINING, require_own_bundle
from emulator.config.audits import AuditsConfig
from emulator.config.auto_solver import AutoConfig, Candidate, Setting
from emulator.config.bars import BarsConfig
from emulator.config.blocks import BlocksConfig, block_name, blocks_of
from emulator.config.calibration import CalibrationConfig
from emulator.config.channels import Channel, ChannelConfig
from emulator.config.consistency import EVALUATIONS, ConsistencyConfig, teacher_bundle
from emulator.config.data import DataConfig, SplitConfig
from emulator.config.diffusion import DiffusionConfig
from emulator.config.documents import read_document
from emulator.config.evaluation import SamplingConfig, ValidationConfig
from emulator.config.experiment import (
    STAGE_SECTIONS,
    ExperimentConfig,
    json_schema,
    parse_config,
    read_config,
    require_twins,
    stage_yaml,
    teacher_files,
)
from emulator.config.initial import initial_bundle, require_initial
from emulator.config.model import (
    DiTConfig,
    ModelConfig,
    NetworkConfig,
    Padding,
    UNetConfig,
)
from emulator.config.one_step import OneStepConfig
from emulator.config.painting import MAP, PaintedSource, PaintingConfig
from emulator.config.places import (
    bundle_folder,
    ensemble_file,
    maps_file,
    maps_folder,
    raw_folder,
    regression_folder,
    results_folder,
    trained_bundles,
)
from emulator.config.report import ReportConfig, previous_files
from emulator.config.residual import ResidualConfig
from emulator.config.section import ConfigError, Section
from emulator.config.suites import (
    ArrayParameter,
    ArraysSuite,
    DesignConfig,
    EmbeddedSuite,
    HeaderFacts,
    Layout,
    MultifieldSuite,
    SnapshotsSuite,
    SuiteConfig,
    WindowsSuite,
    set_of,
)
from emulator.config.trained import TrainedModel, read_trained
from emulator.config.training import RegressionConfig, TrainingConfig

__all__ = [
    "EVALUATIONS",
    "MAP",
    "OF_TRAINING",
    "STAGE_SECTIONS",
    "ArrayParameter",
    "ArraysSuite",
    "AuditsConfig",
    "AutoConfig",
    "BarsConfig",
    "BlocksConfig",
    "CalibrationConfig",
    "Candidate",
    "Channel",
    "ChannelConfig",
    "ConfigError",
    "ConsistencyConfig",
    "DataConfig",
    "DesignConfig",
    "DiTConfig",
    "DiffusionConfig",
    "EmbeddedSuite",
    "ExperimentConfig",
    "HeaderFacts",
    "Layout",
    "ModelConfig",
    "MultifieldSuite",
    "NetworkConfig",
    "OneStepConfig",
    "Padding",
    "PaintedSource",
    "PaintingConfig",
    "RegressionConfig",
    "ReportConfig",
    "ResidualConfig",
    "SamplingConfig",
    "Section",
    "Setting",
    "SnapshotsSuite",
    "SplitConfig",
    "SuiteConfig",
    "TrainedModel",
    "TrainingConfig",
    "UNetConfig",
    "ValidationConfig",
    "WindowsSuite",
    "block_name",
    "blocks_of",
    "bundle_folder",
    "ensemble_file",
    "initial_bundle",
    "json_schema",
    "maps_file",
    "maps_folder",
    "parse_config",
    "previous_files",
    "raw_folder",
    "read_config",
    "read_document",
    "read_trained",
    "regression_folder",
    "require_initial",
    "require_own_bundle",
    "require_twins",
    "results_folder",
    "set_of",
    "stage_yaml",
    "teacher_bundle",
    "teacher_files",
    "trained_bundles",
]
