"""Configuration: *what* is run, as frozen models; one place, validated before any job starts.

A config file holds the sections ``suite, data, model, diffusion, training, sampling, validation``.
It says nothing about machines or output folders: those belong to Snakemake profiles and to the
command line. An unknown key is an error that names its path. Every stage reads only the sections
listed in :data:`STAGE_SECTIONS`, so that changing one section reruns only what depends on it.

This module imports neither torch nor numpy: the workflow parses it at every call.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from emulator.io import EmulatorError

Padding = Literal["zeros", "circular", "reflect"]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]


class ConfigError(EmulatorError):
    """A config file that does not describe a valid experiment."""


class Section(BaseModel):
    """Base of all sections: immutable, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


# --------------------------------------------------------------------------------------- suite


class Layout(Section):
    """Where the files of one simulation lie below the suite's root (CAMELS folders).

    Placeholders: ``{suite}``, ``{box}``, ``{set}``, ``{simulation}``; ``{redraw}`` counts the draws
    of ``emulator simulate --redraw-baryons``.
    """

    dmo_snapshot: str = "Sims/{suite}_DM/{box}/{set}/{simulation}/snapshot_090.hdf5"
    hydro_snapshot: str = "Sims/{suite}/{box}/{set}/{simulation}/snapshot_090.hdf5"
    redrawn_snapshot: str = (
        "Sims/{suite}/{box}/{set}/{simulation}/redraw_{redraw:04d}/snapshot_090.hdf5"
    )
    dmo_catalogue: str = "FOF_Subfind/{suite}_DM/{box}/{set}/{simulation}/groups_090.hdf5"
    parameters: str = "Parameters/{suite}/CosmoAstroSeed_{suite}_{box}_{set}.txt"
    ranges: str = "Parameters/{suite}/Info_{suite}_{box}.csv"


class DesignConfig(Section):
    """How many simulations the embedded suite holds.

    One *run* is one N-body simulation (initial phases and cosmology). Each run carries one or more
    hydro outcomes; simulations of one run share phases, so a split never separates them.
    """

    sb_runs: NonNegativeInt = Field(20, description="N-body runs of the Sobol set SB")
    sb_per_run: PositiveInt = Field(4, description="astrophysics points drawn for each SB run")
    cv_runs: NonNegativeInt = Field(4, description="runs of the set CV: fiducial, other phases")
    be_draws: NonNegativeInt = Field(
        0, description="re-drawn baryons (set BE) of each CV run: same phases, same parameters"
    )
    one_p_steps: NonNegativeInt = Field(
        0, description="set 1P: steps on each side of the fiducial, one parameter at a time"
    )
    fiducial: dict[str, float] = Field(
        {}, description="parameters of CV, BE and 1P that differ from the default fiducial point"
    )


class EmbeddedSuite(Section):
    """The embedded suite: N-body gravity plus baryonification ("surrogate hydro")."""

    kind: Literal["embedded"] = "embedded"
    name: str = Field("Surrogate", pattern=r"^[A-Za-z0-9-]+$")
    box_size_mpch: PositiveFloat = Field(25.0, description="side of the periodic box [Mpc/h]")
    n_particles: PositiveInt = Field(64, multiple_of=2, description="particles a side; even")
    mesh: PositiveInt = Field(128, multiple_of=2, description="cells a side of the gravity mesh")
    n_steps: PositiveInt = Field(40, description="time steps, uniform in the scale factor")
    a_start: Annotated[float, Field(gt=0.0, lt=0.5)] = Field(
        0.05, description="scale factor of the 2LPT start"
    )
    seed: NonNegativeInt = Field(0, description="seed of phases, design and baryons")
    environment_strength: NonNegativeFloat = Field(
        0.2, description="dependence of halo gas on the surroundings; 0 removes it [dex]"
    )
    design: DesignConfig = DesignConfig()
    layout: Layout = Layout()

    @model_validator(mode="after")
    def _mesh_resolves_particles(self) -> "EmbeddedSuite":
        if self.mesh < self.n_particles:
            raise ValueError(
                f"mesh ({self.mesh}) must be at least n_particles ({self.n_particles})"
            )
        return self

    @property
    def box(self) -> str:
        """Name of the box folder, as in CAMELS: ``L25n64``."""
        return f"L{self.box_size_mpch:g}n{self.n_particles}"

    def runs(self) -> dict[str, tuple[str, ...]]:
        """Map each N-body run to the simulations that share its phases.

        SB run ``j`` holds ``SB_{j*p} ... SB_{j*p+p-1}`` with ``p = sb_per_run``; CV run ``j`` holds
        ``CV_j`` and its re-drawn baryons ``BE_{j*d} ... BE_{j*d+d-1}`` with ``d = be_draws``. The
        set 1P has the names of CAMELS, ``1P_p3_n1`` one step below the fiducial in the third
        parameter; a change of cosmology (p1, p2) needs a run of its own, the others share ``1P0``.
        """
        design = self.design
        sb, be = design.sb_per_run, design.be_draws
        runs = {
            f"SB{run}": tuple(f"SB_{run * sb + i}" for i in range(sb))
            for run in range(design.sb_runs)
        }
        for run in range(design.cv_runs):
            redraws = tuple(f"BE_{run * be + i}" for i in range(be))
            runs[f"CV{run}"] = (f"CV_{run}", *redraws)
        if design.one_p_steps:
            sides = [f"{side}{i + 1}" for side in ("n", "") for i in range(design.one_p_steps)]
            astrophysics = [f"1P_p{p}_{side}" for p in range(3, 7) for side in sides]
            runs["1P0"] = ("1P_p1_0", *astrophysics)
            cosmology = [f"1P_p{p}_{side}" for p in (1, 2) for side in sides]
            runs |= {f"1P{i + 1}": (name,) for i, name in enumerate(cosmology)}
        return runs

    def path(self, kind: str, root: str | Path, simulation: str, redraw: int = 0) -> Path:
        """Path of one file (a field of :class:`Layout`) of one simulation below ``root``."""
        return _layout_path(self, kind, root, simulation, redraw)


class FilesSuite(Section):
    """A suite of snapshots that exist already (CAMELS or the user's own)."""

    kind: Literal["files"] = "files"
    name: str = Field(description="name of the suite, {suite} in the layout")
    root: str = Field(description="folder above the layout")
    box: str = Field(description="name of the box folder, {box} in the layout")
    sets: dict[Annotated[str, Field(pattern=r"^[^_/]+$")], PositiveInt] = Field(
        description="set name (without underscores) -> number of simulations"
    )
    layout: Layout = Layout()

    def runs(self) -> dict[str, tuple[str, ...]]:
        """Map each run to its simulations: here every simulation has its own phases."""
        names = (f"{name}_{i}" for name, count in self.sets.items() for i in range(count))
        return {name: (name,) for name in names}

    def path(self, kind: str, root: str | Path, simulation: str, redraw: int = 0) -> Path:
        """Path of one file (a field of :class:`Layout`) of one simulation below ``root``."""
        return _layout_path(self, kind, root, simulation, redraw)


def set_of(simulation: str) -> str:
    """Set of a simulation: ``CV`` for ``CV_3``, ``1P`` for ``1P_p3_n1``."""
    return simulation.split("_", 1)[0]


def _layout_path(
    suite: "EmbeddedSuite | FilesSuite",
    kind: str,
    root: str | Path,
    simulation: str,
    redraw: int,
) -> Path:
    return Path(root) / getattr(suite.layout, kind).format(
        suite=suite.name,
        box=suite.box,
        set=set_of(simulation),
        simulation=simulation,
        redraw=redraw,
    )


SuiteConfig = Annotated[EmbeddedSuite | FilesSuite, Field(discriminator="kind")]


# ---------------------------------------------------------------------------------------- data


class SplitConfig(Section):
    """Who trains, who validates, who is held out: whole runs, never windows of one run."""

    validation_fraction: Fraction = 0.1
    test_fraction: Fraction = 0.1
    test_sets: tuple[str, ...] = Field(("CV", "BE", "1P"), description="sets held out as a whole")
    seed: NonNegativeInt = 0


class DataConfig(Section):
    """From snapshots to maps, and from maps to cutouts."""

    n_pixels: PositiveInt = Field(128, description="pixels a side of the full-box map")
    deposit: Literal["cic", "adaptive"] = Field(
        "adaptive", description="cic: dense data; adaptive: width follows the local density"
    )
    block_particles: PositiveInt = Field(
        1_048_576, description="particles read at a time; bounds the memory of a projection"
    )
    window: PositiveInt = Field(32, description="pixels a side of a cutout")
    context_factors: tuple[PositiveInt, ...] = Field(
        (2, 4), description="context windows in units of the cutout; block-averaged to its pixels"
    )
    split: SplitConfig = SplitConfig()

    @model_validator(mode="after")
    def _windows_fit(self) -> "DataConfig":
        if list(self.context_factors) != sorted(set(self.context_factors)):
            raise ValueError("context_factors must increase and not repeat")
        for factor in (1, *self.context_factors):
            if self.n_pixels % factor or self.window * factor > self.n_pixels:
                raise ValueError(
                    f"context factor {factor}: {factor} x window ({self.window}) must fit in "
                    f"n_pixels ({self.n_pixels}), and {factor} must divide n_pixels"
                )
        return self


# --------------------------------------------------------------------------------------- model


class ChannelConfig(Section):
    """One field that the model draws, and how it looks to the network.

    ``log_ratio``: log of the ratio to the DMO mass times the cosmic share of the field; ``log``:
    ``log(x + floor)``; ``hurdle``: two network channels, occupancy and log ratio where occupied.
    All are z-scored with statistics of the training split.
    """

    name: Literal["dm_hydro", "gas", "stars"]
    transform: Literal["log_ratio", "log", "hurdle"]
    floor_msunh: PositiveFloat = Field(
        1.0e8,
        description="added before the logarithm; less than this is an empty pixel of a hurdle "
        "field [Msun/h per pixel]",
    )
    loss_weight: PositiveFloat = 1.0


class NetworkConfig(Section):
    """The `UNetVDM`: residual U-Net with FiLM from gamma and parameters."""

    patch: PositiveInt = Field(
        1, description="pixels a side that are folded into channels at the input (1: none)"
    )
    widths: tuple[PositiveInt, ...] = Field((48, 96, 128), description="channels at each level")
    blocks: PositiveInt = Field(2, description="residual blocks at each level")
    attention_levels: tuple[NonNegativeInt, ...] = Field((2,), description="levels with attention")
    heads: PositiveInt = 4
    groups: PositiveInt = Field(8, description="groups of the group normalisation")
    embedding: PositiveInt = Field(128, description="width of the gamma and parameter embedding")
    fourier_frequencies: tuple[PositiveFloat, ...] = Field(
        (1.0,), description="frequencies (in units of pi) of the condition's Fourier features"
    )
    dropout: Fraction = 0.0
    padding: Padding = "zeros"

    @model_validator(mode="after")
    def _shapes_agree(self) -> "NetworkConfig":
        bad = [width for width in self.widths if width % self.groups or width % self.heads]
        if bad:
            raise ValueError(f"widths {bad} are not multiples of groups and heads")
        if any(level >= len(self.widths) for level in self.attention_levels):
            raise ValueError(f"attention_levels must be below {len(self.widths)}")
        return self


class ModelConfig(Section):
    """Channels, parameters and network."""

    channels: tuple[ChannelConfig, ...] = (
        ChannelConfig(name="dm_hydro", transform="log_ratio"),
        ChannelConfig(name="gas", transform="log_ratio"),
        ChannelConfig(name="stars", transform="hurdle", floor_msunh=1.0e9, loss_weight=3.0),
    )
    params: tuple[str, ...] = Field(
        ("Omega_m", "sigma_8", "A_SN1", "A_AGN1", "A_SN2", "A_AGN2"),
        description="parameters that condition the model, by name",
    )
    network: NetworkConfig = NetworkConfig()

    @model_validator(mode="after")
    def _names_are_unique(self) -> "ModelConfig":
        names = [channel.name for channel in self.channels]
        if len(set(names)) != len(names) or not names:
            raise ValueError(f"channels must be named once each, got {names}")
        if len(set(self.params)) != len(self.params):
            raise ValueError(f"params repeat: {list(self.params)}")
        return self


# ----------------------------------------------------------------------------------- diffusion


class DiffusionConfig(Section):
    """The forward process and the training objective, in gamma = -log SNR."""

    gamma_min: float = Field(-13.3, description="gamma at t = 0, the clean end")
    gamma_max: float = Field(13.0, description="gamma at t = 1, pure noise")
    prediction: Literal["eps", "x", "v"] = "v"
    objective: Literal["bound", "logistic"] = Field(
        "logistic",
        description="bound: the variational bound, gamma uniform; logistic: squared error of the "
        "prediction itself, gamma from a logistic distribution",
    )
    logistic_loc: float = Field(-0.5, description="centre of the logistic distribution of gamma")
    logistic_scale: PositiveFloat = Field(1.4, description="its scale")
    data_noise: PositiveFloat = Field(
        5.0e-4, description="standard deviation s of p(x|z_0) in normalised units"
    )

    @model_validator(mode="after")
    def _gamma_increases(self) -> "DiffusionConfig":
        if self.gamma_min >= self.gamma_max:
            raise ValueError("gamma_min (clean, t=0) must be below gamma_max (noise, t=1)")
        return self


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

    @model_validator(mode="after")
    def _steps_agree(self) -> "TrainingConfig":
        if self.max_steps % self.checkpoint_steps:
            raise ValueError(
                f"max_steps ({self.max_steps}) must be a multiple of checkpoint_steps "
                f"({self.checkpoint_steps})"
            )
        return self


# ---------------------------------------------------------------------- sampling and validation


class SamplingConfig(Section):
    """Ensembles of the held-out simulations."""

    n_members: Annotated[int, Field(ge=2)] = 8
    windows_per_simulation: PositiveInt = Field(8, description="cutouts of each simulation")
    solver: Literal["dpm++2m", "ancestral"] = "dpm++2m"
    n_steps: PositiveInt = Field(20, description="network evaluations a member")
    gamma_start: float | None = Field(None, description="noise end; default: the model's gamma_max")
    gamma_end: float | None = Field(-8.0, description="clean end; null: the model's gamma_min")
    batch_size: PositiveInt = 128
    seed: NonNegativeInt = 0


class ValidationConfig(Section):
    """Statistics and the bars of the acceptance table."""

    k_min_hmpc: PositiveFloat = 1.0
    k_max_hmpc: PositiveFloat = 8.0
    occupied_msunh: NonNegativeFloat = Field(
        1.0e9, description="a pixel with more mass counts as occupied [Msun/h per pixel]"
    )
    n_bootstrap: PositiveInt = Field(200, description="bootstrap draws over simulations")
    crps_gain: float = Field(
        0.10, description="CRPS at least this fraction below the best baseline"
    )
    power_tolerance: dict[str, PositiveFloat] = Field(
        {"dm_hydro": 0.10, "gas": 0.25, "stars": 0.50, "total": 0.10},
        description="largest |P/P_truth - 1| in the k range, by field",
    )
    spread_skill: tuple[PositiveFloat, PositiveFloat] = (0.7, 1.3)
    enforce: bool = Field(False, description="a missed bar makes the workflow fail")


class ExperimentConfig(Section):
    """A whole experiment."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$", description="names the folders of the results")
    suite: SuiteConfig = EmbeddedSuite()
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    training: TrainingConfig = TrainingConfig()
    sampling: SamplingConfig = SamplingConfig()
    validation: ValidationConfig = ValidationConfig()


STAGE_SECTIONS: dict[str, tuple[str, ...]] = {
    "simulate": ("suite",),
    "project": ("suite", "data"),
    "fit": ("suite", "data", "model"),
    "train": ("data", "model", "diffusion", "training"),
    "sample": ("suite", "sampling"),
    "validate": ("validation",),
}
"""Sections that each stage reads. A stage is rerun only when one of its sections changes."""


def parse_config(raw: Mapping[str, Any], *, source: str = "config") -> ExperimentConfig:
    """Validate a mapping; a fault is a :class:`ConfigError` that names every bad key."""
    try:
        return ExperimentConfig.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_explain(error, source)) from error


def read_config(path: str | Path) -> ExperimentConfig:
    """Read and validate a YAML config file."""
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"{path}: no such config file")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML ({error})") from error
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{path}: expected a mapping of sections, got {type(raw).__name__}")
    return parse_config(raw, source=str(path))


def stage_yaml(config: ExperimentConfig, stage: str) -> str:
    """Return the resolved config of one stage: its name and only the sections it reads."""
    dump = config.model_dump(mode="json")
    return yaml.safe_dump(
        {key: dump[key] for key in ("name", *STAGE_SECTIONS[stage])}, sort_keys=False
    )


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of :class:`ExperimentConfig` with the ``$schema`` key tools need."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ExperimentConfig.model_json_schema(),
    }


def _explain(error: ValidationError, source: str) -> str:
    lines = [f"{source}: {error.error_count()} problem(s) in the configuration"]
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            lines.append(f"  {where}: unknown key (got {item['input']!r})")
        else:
            lines.append(f"  {where}: {item['msg']} (got {item['input']!r})")
    return "\n".join(lines)
