"""Suites of arrays in the config: what is filled in, and what is refused before anything runs."""

import pytest
import yaml
from arrays import command, small, write, write_small

from emulator.config import ConfigError, parse_config, stage_yaml


def test_sections_of_arrays_have_other_defaults_than_those_of_matter():
    config = parse_config(small())
    assert config.training.mass_tilt == 0.0
    assert config.model.params == ()
    assert config.data.context_factors == ()
    assert config.data.window_shape == (8, 8)
    assert [field.run for field in (*config.suite.conditions, *config.data.targets)] == [
        "array"
    ] * 2
    assert {channel.transform for channel in config.channels} == {"identity"}
    declared = [{"name": "speed", "min": 1.0, "max": 4.0, "log": True}]
    with_one = parse_config(small(suite={"parameters": declared}))
    assert with_one.model.params == ("speed",)
    assert with_one.suite.parameters[0].middle == 2.0


@pytest.mark.parametrize("stage", ["project", "fit", "train", "sample", "validate"])
def test_the_config_of_a_stage_is_read_again(stage):
    config = parse_config(small())
    again = parse_config(yaml.safe_load(stage_yaml(config, stage)))
    assert again.data == config.data
    assert again.training.mass_tilt == 0.0 or stage != "train"


@pytest.mark.parametrize("unit", ["kg/m^3", "°C", "W m-2 sr-1", "1"])
def test_a_field_has_any_printable_unit(unit):
    fields = [{"name": "drawn", "label": "drawn", "unit": unit, "signed": True}]
    assert parse_config(small(data={"fields": fields})).data.targets[0].unit == unit


def of_field(**changes):
    return {"data": {"fields": [{"name": "drawn", "label": "drawn", "unit": "1", **changes}]}}


REFUSED = {
    "unit in two lines": (of_field(unit="kg\nm"), "expected one printable line"),
    "share": (of_field(share="baryons"), "share belong to fields that are made of particles"),
    "particles": (of_field(particles=["gas"]), "particles belong to fields that are made of"),
    "logarithm of either sign": (
        of_field(signed=True, transform="log", floor=1.0), "needs values of zero or more"),
    "hurdle": (of_field(transform="hurdle"), "relative to a share of the condition"),
    "floor": (of_field(transform="asinh"), "transform asinh needs its floor, in 1"),
    "field of the table": ({"data": {"fields": ["gas"]}}, "are declared there, each with name"),
    "a condition again": (of_field(name="given"), "it is one of suite.conditions already"),
    "no fields": ({"data": {"fields": []}}, "data.fields"),
    "no shape": ({"data": {"shape": None}}, r"expected \[rows, columns\]"),
    "small shape": ({"data": {"shape": [2, 8]}}, "at least 4 pixels a side"),
    "network": ({"data": {"shape": [8, 9]}}, "must be a multiple of 2"),
    "context": ({"data": {"context_factors": [2]}}, "have no surroundings; expected"),
    "mass tilt": ({"training": {"mass_tilt": 0.5}}, "training.mass_tilt weighs .* expected 0"),
    "pixel tilt": ({"diffusion": {"mass_tilt": 1.0}}, "diffusion.mass_tilt weighs"),
    "drop context": ({"diffusion": {"drop_context": 0.1}}, "no surroundings to leave out"),
    "parameters": ({"model": {"params": ["Omega_m"]}}, "suite.parameters declares none"),
    "objective": (
        {"training": {"objective": "consistency"}}, "expected diffusion, residual or one_step"),
    "quantiles of a condition": (
        {"suite": {"conditions": [
            {"name": "given", "label": "given", "unit": "m", "transform": "quantile"}]}},
        "transform quantile is fitted for fields that are drawn"),
    "painting": ({"painting": {"simulations": "all"}}, "arrays are drawn whole by sample"),
    "k in h/Mpc": ({"validation": {"k_min_hmpc": 2.0}}, r"use k_range, in 1/suite.length_unit"),
    "k range": ({"validation": {"k_range": [2.0, 1.0]}}, "k_range must increase"),
    "occupied": ({"validation": {"occupied_msunh": 1.0}}, "arrays have no masses"),
    "d4 of a rectangle": (
        {"suite": {"symmetries": "d4"}, "data": {"shape": [8, 16]}}, "d4 turns y into x"),
    "d4 of one periodic axis": (
        {"suite": {"symmetries": "d4", "periodic": [True, False]}}, "expected two axes alike"),
    "d4 of vectors": (
        {"suite": {"symmetries": "d4", "vectors": [["given", "drawn"]]}}, "components of vectors"),
    "vectors": ({"suite": {"vectors": [["given", "up"]]}}, r"name \['up'\]"),
    "shifts": ({"suite": {"symmetries": ["shifts"]}}, "say which axes are"),
    "symmetry": ({"suite": {"symmetries": "mirror"}}, "symmetries"),
    "no rows": ({"suite": {"files": "all.npz"}}, "expected rows_per_simulation or group"),
    "rows twice": ({"suite": {"rows_per_simulation": 2}}, "names one of each"),
    "arrays": ({"suite": {"arrays": {"other": "x"}}}, r"name \['other'\]"),
    "conditions of the table": (
        {"suite": {"conditions": [{"name": "dmo", "label": "a", "unit": "1"}]}},
        "differ from each"),
    "range": ({"suite": {"parameters": [{"name": "a", "min": 2.0, "max": 1.0}]}}, "min < max"),
    "logarithm": (
        {"suite": {"parameters": [{"name": "a", "min": 0.0, "max": 1.0, "log": True}]}},
        "min above zero"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "said"), REFUSED.values(), ids=REFUSED)
def test_what_arrays_cannot_have_is_refused(changes, said):
    with pytest.raises(ConfigError, match=said):
        parse_config(small(**changes))


def test_keys_of_arrays_are_refused_elsewhere():
    with pytest.raises(ConfigError, match=r"shape belongs to suite.kind arrays"):
        parse_config({"name": "other", "data": {"shape": [8, 8]}})
    with pytest.raises(ConfigError, match=r"k_range belongs to suite.kind arrays"):
        parse_config({"name": "other", "validation": {"k_range": [1.0, 2.0]}})


def test_fields_of_arrays_and_of_matter_do_not_mix():
    fields = ["gas", {"name": "drawn", "label": "drawn", "unit": "1", "run": "array"}]
    fields[1]["transform"] = "identity"
    with pytest.raises(ConfigError, match="arrays of a file alone, or none"):
        parse_config({"name": "other", "data": {"fields": fields}})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training": {"mass_tilt": 0.5}}, "training.mass_tilt"),
        ({"model": {"params": ["speed"]}}, "suite.parameters declares none"),
        ({"suite": {"files": "{simulation}.txt"}}, "ends in .npz"),
    ],
)
def test_the_command_line_says_it_in_one_message(tmp_path, changes, said):
    write_small(tmp_path)
    for stage in ("check", "project"):
        done = command(tmp_path, stage, write(tmp_path, small(**changes)))
        assert done.exit_code != 0
        assert said in str(done.exception) + done.output
