"""Fields, channels and suites that do not fit each other stop before anything runs."""

import pytest
import yaml

from emulator.config import ConfigError, parse_config, stage_yaml

VELOCITY = {
    "name": "velocity", "label": "velocity", "unit": "km/s", "particles": ["gas"],
    "mean_of": "Vx", "signed": True, "transform": "asinh", "floor": 10.0,
}  # fmt: skip
SNAPSHOTS = {"kind": "snapshots", "name": "M", "root": ".", "sets": {"LH": 3}}
WINDOWS = {**SNAPSHOTS, "kind": "windows", "targets": ["gas"]}


def config(**sections):
    return {"name": "a", "suite": SNAPSHOTS, **sections}


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"data": {"fields": ["gass"]}}, ["unknown fields ['gass']; there are dm_hydro"]),
        ({"data": {"fields": ["gas", "gas"]}}, ["data.fields", "must differ"]),
        ({"data": {"fields": []}}, ["data.fields", "at least 1"]),
        ({"data": {"fields": ["dmo"]}}, ["data.fields", "unknown fields ['dmo']"]),
        ({"data": {"fields": [{**VELOCITY, "name": "gas"}]}}, ["data.fields", "must differ"]),
        (
            {"data": {"fields": [{**VELOCITY, "unit": "km/h"}]}},
            ["data.fields", "unknown unit 'km/h'; there are Msun/h per pixel", "km/s"],
        ),
        (
            {"data": {"fields": [{**VELOCITY, "mean_of": None}]}},
            ["a mass is in Msun/h per pixel, not in km/s"],
        ),
        ({"data": {"fields": [{**VELOCITY, "particles": ["dust"]}]}}, ["particles", "'dust'"]),
        ({"data": {"fields": [{**VELOCITY, "run": "dmo"}]}}, ["data.fields", "of the run hydro"]),
        (
            {"data": {"fields": [{**VELOCITY, "transform": "log"}]}},
            ["transform log needs values of zero or more", "use asinh or identity"],
        ),
        (
            {"data": {"fields": [VELOCITY]},
             "model": {"channels": [{"name": "velocity", "transform": "hurdle"}]}},
            ["transform hurdle needs values of zero or more, and velocity is signed"],
        ),
        (
            {"data": {"fields": ["gas_temperature"]},
             "model": {"channels": [{"name": "gas_temperature", "transform": "log_ratio"}]}},
            ["relative to a share of the matter, which gas_temperature does not have"],
        ),
        (
            {"data": {"fields": ["gas"]}, "model": {"channels": [{"name": "stars"}]}},
            ["model.channels names ['stars'], and data.fields are gas: add it there"],
        ),
        (
            {"suite": {"kind": "embedded"}, "data": {"fields": ["gas_temperature"]}},
            ["data.fields: gas_temperature cannot be made here", "suite.thermodynamics: true"],
        ),
        (
            {"suite": {"kind": "embedded", "thermodynamics": True}, "data": {"fields": [VELOCITY]}},
            ["data.fields: velocity cannot be made here", "nothing else"],
        ),
        ({"suite": WINDOWS}, ["dm_hydro cannot be made here: suite.targets"]),
        (
            {"suite": {**SNAPSHOTS, "kind": "multifield"}, "data": {"fields": [VELOCITY]}},
            ["velocity cannot be made here: suite.maps names no file"],
        ),
        (
            {"data": {"fields": ["gas"]}, "validation": {"bars": {"power": {"total": 0.1}}}},
            ["validation.bars.power names ['total']; there are gas"],
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(sections, words):
    with pytest.raises(ConfigError) as error:
        parse_config(config(**sections), source="my.yaml")
    for word in ["my.yaml", *words]:
        assert word in str(error.value)


def test_channels_are_all_fields_as_their_rows_say_unless_the_config_says_more():
    plain = parse_config(config(data={"fields": ["stars", VELOCITY]}))
    assert [(c.name, c.transform, c.floor) for c in plain.channels] == [
        ("stars", "hurdle", 1e9), ("velocity", "asinh", 10.0),
    ]  # fmt: skip
    told = parse_config(
        config(model={"channels": [{"name": "gas", "floor_msunh": 1e7, "loss_weight": 2.0}]})
    )
    (gas,) = told.channels
    assert (gas.transform, gas.floor, gas.loss_weight) == ("log_ratio", 1e7, 2.0)


@pytest.mark.parametrize(("old", "new"), [("files", "snapshots"), ("samples", "windows")])
def test_kinds_have_their_old_names_too(old, new):
    suite = {**SNAPSHOTS, "kind": old} | ({"samples": "*.npz"} if old == "samples" else {})
    parsed = parse_config({"name": "a", "suite": suite}).suite
    assert parsed.kind == new
    assert getattr(parsed, "files", "*.npz") == "*.npz"


@pytest.mark.parametrize("stage", ["project", "fit", "train", "sample", "validate"])
def test_every_stage_reads_its_part_of_an_unusual_config(stage):
    whole = parse_config(
        config(
            suite=WINDOWS | {"parameter_names": ["Omega_m"]},
            data={"fields": ["gas"]},
            model={"params": ["Omega_m"]},
            validation={"bars": {"power": {"gas": 0.3}}},
        )
    )
    part = parse_config(yaml.safe_load(stage_yaml(whole, stage)))
    if stage != "train":
        assert part.suite == whole.suite
    assert part.data == whole.data
