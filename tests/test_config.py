"""Bad configs stop at once and name key, value and source."""

import pytest
from pydantic import ValidationError

from emulator.config import (
    STAGE_SECTIONS,
    ConfigError,
    ExperimentConfig,
    parse_config,
    read_config,
    stage_yaml,
)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"name": "a", "trainning": {}}, ["trainning", "unknown key"]),
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


def test_a_change_of_sampling_changes_only_the_file_of_its_stage():
    one, other = (parse_config({"name": "a", "sampling": {"seed": seed}}) for seed in (0, 1))
    changed = {s for s in STAGE_SECTIONS if stage_yaml(one, s) != stage_yaml(other, s)}
    assert changed == {"sample"}


def test_a_seed_more_changes_no_stage_file():
    one, other = (parse_config({"name": "a", "training": {"seeds": s}}) for s in ([0], [0, 1]))
    assert all(stage_yaml(one, stage) == stage_yaml(other, stage) for stage in STAGE_SECTIONS)
    with pytest.raises(ConfigError, match="seeds must not repeat"):
        parse_config({"name": "a", "training": {"seeds": [1, 1]}})


def test_every_section_belongs_to_a_stage():
    used = {section for sections in STAGE_SECTIONS.values() for section in sections}
    assert used == set(ExperimentConfig.model_fields) - {"name", "blocks"}


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
