"""Bad configs stop at once and name key, value and source."""

import pytest
import yaml
from pydantic import ValidationError

from emulator.config import (
    STAGE_SECTIONS,
    BarsConfig,
    ConfigError,
    ExperimentConfig,
    json_schema,
    parse_config,
    read_config,
    stage_yaml,
)
from emulator.config.model import EMBEDDED_PARAMETERS
from emulator.config.solvers import SOLVERS, SPACINGS
from emulator.simulate.design import PARAMETERS


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"name": "a", "trainning": {}}, ["trainning: unknown key; did you mean training?"]),
        ({"name": "a", "zzz": {}}, ["zzz: unknown key (got"]),
        (
            {"name": "a", "model": {"network": {"width": [8]}}},
            ["model.network.unet.width: unknown key; did you mean widths?"],
        ),
        ({"name": "a", "training": {"seeds": "0"}}, ["training.seeds: expected a list"]),
        (
            {"name": "a", "suite": {"kind": "snapshot"}},
            ["suite: 'kind': expected one of 'embedded'"],
        ),
        (
            {"name": "a", "data": {"fields": ["gass"]}},
            ["data.fields: unknown fields ['gass']; there"],
        ),
        ({"name": "a", "suite": {"kind": "embedded", "boxsize": 1}}, ["boxsize", "unknown key"]),
        (
            {"name": "a", "suite": {"kind": "embedded", "box_size_mpch": -25.0}},
            ["box_size_mpch", "greater than 0", "-25"],
        ),
        ({"name": "a", "suite": {"kind": "embedded", "n_particles": 33}}, ["n_particles", "33"]),
        ({"name": "a", "suite": {"kind": "embedded", "mesh": 16}}, ["mesh (16)"]),
        ({"name": "a", "data": {"n_pixels": 64, "context_factors": [2, 4]}}, ["context factor 4"]),
        ({"name": "a", "diffusion": {"gamma_min": 5.0, "gamma_max": -5.0}}, ["clean"]),
        ({"name": "a", "training": {"max_steps": 7, "checkpoint_steps": 5}}, ["multiple"]),
        (
            {"name": "a", "sampling": {"n_members": 1}},
            ["sampling.n_members", "greater than or equal"],
        ),
        ({"name": "a/b"}, ["name", "pattern"]),
        ({}, ["name", "required"]),
    ],
)
def test_faults_are_named(raw, words):
    with pytest.raises(ConfigError) as error:
        parse_config(raw, source="my.yaml")
    for word in ["my.yaml", *words]:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("sampling", "words"),
    [
        (
            {"solver": {"name": "unipc3", "eta": 1.0}},
            ["sampling.solver", "eta is no option of unipc3, which has none", "belongs to ddim"],
        ),
        (
            {"solver": {"name": "heun", "noise": 1.0}},
            ["sampling.solver", "noise is no option of heun, which has churn (got"],
        ),
        ({"solver": {"name": "ddim", "eta": 1.2}}, ["sampling.solver.ddim.eta", "1.2"]),
        ({"solver": {"name": "heun", "churn": 0.5}}, ["sampling.solver.heun.churn", "0.5"]),
        ({"solver": {"name": "pc", "langevin_step": 0.0}}, ["sampling.solver.pc.langevin_step"]),
        ({"solver": "dpm"}, ["sampling.solver", "unknown solver 'dpm'; there are ancestral, ddim"]),
        ({"solver": {"name": ["pc"]}}, ["sampling.solver", "unknown solver ['pc']"]),
        ({"solver": {"eta": 1.0}}, ["sampling.solver", "no name of a solver; there are anc"]),
        ({"solver": 3}, ["sampling.solver", "valid dictionary", "got 3"]),
        (
            {"spacing": {"name": "karras", "centre": 1.0}},
            ["sampling.spacing", "centre is no option of karras, which has rho", "to logistic"],
        ),
        ({"spacing": "log"}, ["sampling.spacing", "unknown spacing 'log'; there are gamma, t"]),
        (
            {"solver": "unipc3", "eta": 1, "churn": 0.3},
            [
                "eta is written as `sampling.solver: {name: ddim, eta: ...}`",
                "churn is written as `sampling.solver: {name: euler, churn: ...}`",
            ],
        ),
        (
            {"solver": "pc", "corrections": 2, "langevin_step": 0.02},
            [
                "`sampling.solver: {name: pc, corrections: ...}`",
                "`sampling.solver: {name: pc, langevin_step: ...}`",
            ],
        ),
        ({"spacing": "karras", "rho": 5}, ["`sampling.spacing: {name: karras, rho: ...}`"]),
        (
            {"solver": "abm2", "spacing": "logistic", "centre": 1.0},
            [
                "`sampling.solver: {name: abm2, centre: ...}` or "
                "`sampling.spacing: {name: logistic, centre: ...}`"
            ],
        ),
        (
            {"solver": "auto", "n_steps": 20},
            ["n_steps cannot be given beside `solver: auto`", "{name: auto, evaluations: [...]}"],
        ),
        ({"solver": "auto", "spacing": "t"}, ["spacing cannot be given beside `solver: auto`"]),
        ({"n_steps": None}, ["n_steps may be null with `solver: auto` only"]),
        ({"solver": {"name": "auto", "eta": 1.0}}, ["eta is no option of auto, which has cand"]),
        (
            {"solver": {"name": "auto", "candidates": [{"solver": "pc"}]}},
            ["sampling.solver.auto.candidates.0.solver", "pc draws noise on its way"],
        ),
        (
            {"solver": {"name": "auto", "candidates": [{"solver": {"name": "ddim", "eta": 0.1}}]}},
            ["ddim draws noise on its way"],
        ),
        ({"solver": {"name": "auto", "candidates": 2 * [{"solver": "ab2"}]}}, ["must differ"]),
        ({"solver": {"name": "auto", "evaluations": [12, 8]}}, ["evaluations must increase"]),
        ({"solver": {"name": "auto", "evaluations": []}}, ["must not be empty"]),
        (
            {"solver": {"name": "auto", "reference_evaluations": 63}},
            ["reference_evaluations (63) must be at least twice the largest of evaluations (32)"],
        ),
    ],
)
def test_an_option_belongs_to_its_solver_or_spacing(sampling, words):
    with pytest.raises(ConfigError) as error:
        parse_config({"name": "a", "sampling": sampling})
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("validation", "words"),
    [
        ({"n_bootstrap": 50}, ["n_bootstrap is gone", "jackknife over runs"]),
        ({"crps_gain": 0.1}, ["crps_gain is written as `validation.bars.crps_gain`"]),
        (
            {"power_tolerance": {"gas": 0.1}, "spread_skill": [0.8, 1.2]},
            [
                "power_tolerance is written as `validation.bars.power`",
                "spread_skill is written as `validation.bars.spread_skill`",
            ],
        ),
        (
            {"bars": {"spread_skill": [1.2, 0.8]}},
            ["validation.bars", "spread_skill must increase, got [1.2, 0.8]"],
        ),
        ({"bars": {"power": {"gas": 0.0}}}, ["validation.bars.power.gas"]),
        ({"bars": {"sharpness": 1.0}}, ["validation.bars.sharpness: unknown key"]),
    ],
)
def test_bars_stand_in_one_section(validation, words):
    with pytest.raises(ConfigError) as error:
        parse_config({"name": "a", "validation": validation})
    for word in words:
        assert word in str(error.value)


def test_every_bar_says_its_reason():
    for name, bar in BarsConfig.model_fields.items():
        assert "Reason: " in (bar.description or ""), name


def test_standard_asks_for_the_targets_of_the_field():
    bars = read_config("configs/standard.yaml").validation.bars
    assert bars.power == {"total": 0.02, "dm_hydro": 0.03, "gas": 0.05, "stars": 0.15}
    assert bars.spread_skill == (0.9, 1.1)


CHOICES = [
    *((name, "gamma") for name in SOLVERS.sections),
    *(("unipc3", name) for name in SPACINGS.sections),
    ({"name": "ddim", "eta": 0.5}, {"name": "karras", "rho": 5.0}),
    ({"name": "heun", "churn": 0.1}, {"name": "logistic", "centre": 1.0}),
    ({"name": "abm2", "centre": 1.0}, "t"),
    ({"name": "pc", "corrections": 2, "langevin_step": 0.02}, "gamma"),
]


@pytest.mark.parametrize(("solver", "spacing"), CHOICES)
def test_a_stage_file_says_solver_and_spacing_with_their_options(solver, spacing):
    config = parse_config({"name": "a", "sampling": {"solver": solver, "spacing": spacing}})
    said = yaml.safe_load(stage_yaml(config, "sample"))
    for key, given in (("solver", solver), ("spacing", spacing)):
        section = {"name": given} if isinstance(given, str) else given
        assert said["sampling"][key].items() >= section.items()  # a plain name is its section
    assert parse_config(said).sampling == config.sampling


@pytest.mark.parametrize(("solver", "spacing"), CHOICES)
def test_the_schema_knows_what_solvers_and_spacings_accept(solver, spacing):
    validator = pytest.importorskip("jsonschema").Draft202012Validator(json_schema())
    raw = {"name": "a", "sampling": {"solver": solver, "spacing": spacing}}
    assert validator.is_valid(raw)
    assert validator.is_valid(parse_config(raw).model_dump(mode="json"))
    for fault in (
        {"solver": "dpm"},
        {"solver": {"eta": 1.0}},
        {"spacing": {"name": "t", "rho": 7}},
    ):
        assert not validator.is_valid({"name": "a", "sampling": fault})


def test_a_missing_file_and_bad_yaml_are_named(tmp_path):
    with pytest.raises(ConfigError, match="a config file, got no such file"):
        read_config(tmp_path / "absent.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1")
    with pytest.raises(ConfigError, match=r"bad\.yaml: not valid YAML"):
        read_config(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(ConfigError, match="expected a mapping"):
        read_config(tmp_path / "list.yaml")


def test_configs_cannot_be_changed():
    config = parse_config({"name": "a"})
    with pytest.raises(ValidationError):
        config.name = "b"


@pytest.mark.parametrize("stage", STAGE_SECTIONS)
def test_a_stage_file_says_all_that_the_stage_reads(stage, tmp_path):
    changes = {"sampling": {"n_members": 5}, "training": {"max_steps": 3000}}
    config = parse_config({"name": "a", **changes})
    path = tmp_path / "stage.yaml"
    path.write_text(stage_yaml(config, stage))
    again = read_config(path)
    for section in STAGE_SECTIONS[stage]:
        assert getattr(again, section) == getattr(config, section)


def test_auto_is_the_same_read_again_and_short_for_its_section(tmp_path):
    config = parse_config({"name": "a", "sampling": {"solver": "auto"}})
    same = {"solver": {"name": "auto"}, "n_steps": None, "spacing": None}
    assert parse_config({"name": "a", "sampling": same}) == config
    (tmp_path / "tune.yaml").write_text(stage_yaml(config, "tune"))
    assert read_config(tmp_path / "tune.yaml").sampling == config.sampling
    words = {"solver": "auto", "n_steps": "auto", "spacing": "auto"}
    assert parse_config({"name": "a", "sampling": words}) == config
    found = {(s.label, s.n_steps) for s in config.sampling.solver.settings}
    names = {"unipc3", "dpm++2m", "abm2 (centre 1), logistic (centre 1)"}
    assert found == {(name, n) for name in names for n in (8, 12, 16, 20, 24, 32)}


def test_a_change_of_sampling_changes_only_the_file_of_its_stage():
    one, other = (parse_config({"name": "a", "sampling": {"seed": seed}}) for seed in (0, 1))
    changed = {s for s in STAGE_SECTIONS if stage_yaml(one, s) != stage_yaml(other, s)}
    assert changed == {"tune", "calibrate", "sample", "audit", "paint"}


def test_a_seed_more_changes_no_stage_file():
    one, other = (parse_config({"name": "a", "training": {"seeds": s}}) for s in ([0], [0, 1]))
    assert all(stage_yaml(one, stage) == stage_yaml(other, stage) for stage in STAGE_SECTIONS)
    with pytest.raises(ConfigError, match="seeds must not repeat"):
        parse_config({"name": "a", "training": {"seeds": [1, 1]}})


def test_every_section_belongs_to_a_stage():
    used = {section for sections in STAGE_SECTIONS.values() for section in sections}
    assert used == set(ExperimentConfig.model_fields) - {"name", "blocks", "painting", "report"}


def test_simulations_of_one_run_share_its_name():
    runs = parse_config(
        {"name": "a", "suite": {"kind": "embedded", "design": {
            "sb_runs": 2, "sb_per_run": 3, "cv_runs": 2, "be_draws": 2}}}
    ).suite.runs()  # fmt: skip
    assert runs["SB1"] == ("SB_3", "SB_4", "SB_5")
    assert runs["CV1"] == ("CV_1", "BE_2", "BE_3")


def test_paths_follow_the_layout():
    suite = parse_config({"name": "a"}).suite
    path = suite.path("dmo_snapshot", "root", "SB_12")
    assert str(path) == "root/Sims/Surrogate_DM/L25n64/SB/SB_12/snapshot_090.hdf5"


def test_where_a_document_is_no_yaml_is_told_by_its_line(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: x\ndata:\n  window: 32\n n_pixels: 64\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: not valid YAML") as error:
        read_config(path)
    assert "in line 4, column 2" in str(error.value)
    assert "unicode string" not in str(error.value)


def test_a_fault_of_several_sections_does_not_print_the_whole_config():
    raw = {"name": "a", "data": {"fields": ["gas"]}, "model": {"channels": [{"name": "stars"}]}}
    with pytest.raises(ConfigError, match=r"\n  model\.channels names \['stars'\]") as error:
        parse_config(raw)
    assert "got {" not in str(error.value)


def test_parameters_that_the_embedded_suite_does_not_vary_are_refused_before_any_job():
    raw = {"name": "x", "suite": {"kind": "embedded"}, "model": {"params": ["Omega_m", "sigma8"]}}
    with pytest.raises(ConfigError, match=r"model\.params: expected .*sigma_8.*, got sigma8"):
        parse_config(raw)
    raw["suite"] = {"kind": "snapshots", "name": "S", "root": "x", "sets": {"LH": 3}}
    assert parse_config(raw).model.params == ("Omega_m", "sigma8")


def test_the_default_parameters_are_those_of_the_embedded_suite():
    assert tuple(each.name for each in PARAMETERS) == EMBEDDED_PARAMETERS
