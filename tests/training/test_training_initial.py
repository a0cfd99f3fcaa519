"""Fine-tuning: a training that begins with a bundle's weights, resumes, and refuses other ones."""

import json
import shutil
from pathlib import Path

import fabricated
import numpy as np
import pytest
import torch
import yaml
from killed import killed_at
from safetensors.torch import load_file
from tiny import SPLITS, TINY, normalise, run
from typer.testing import CliRunner

import emulator
from emulator.cli import app
from emulator.config import parse_config, stage_yaml
from emulator.config.experiment import teacher_files
from emulator.config.section import ConfigError
from emulator.data.maps import read_maps
from emulator.io import DataError, EmulatorError, write_json
from emulator.model.bundle import read_card
from emulator.model.normalisation import Normalisation
from emulator.model.rounding import write_rounded
from emulator.training.initial import read_initial

TRAINED = Path(__file__).parents[1] / "regression/trained"
SINGLE = {**TINY["training"], "precision": "32"}
STILL = {"learning_rate": 1.0e-30, "weight_decay": 0.0}
"""A training that moves no weight: a step is less than the last digit of any but zero."""


@pytest.fixture(scope="module")
def initial(maps_dir, tmp_path_factory):
    """Folder of models with the bundle of one seed, as the workflow lays it out."""
    root = tmp_path_factory.mktemp("initial")
    run(maps_dir, root, training={**SINGLE, "ema_decay": 0.5})
    shutil.move(root / "model", root / "models/seed_0")
    return root / "models"


@pytest.fixture(scope="module")
def other_maps(tmp_path_factory):
    """Maps of another suite: other phases, and twice the mass of stars."""
    folder = tmp_path_factory.mktemp("other")
    for simulation in fabricated.simulations(n_train=2, n_cv=1):
        moved = fabricated.Simulation(
            simulation.name, simulation.run, simulation.omega_m, 2 * simulation.star_share,
            simulation.phases + 500, simulation.baryons + 500,
        )  # fmt: skip
        fabricated.write_maps(folder, moved)
    return folder


def tuned(initial, **training):
    return {"training": {**SINGLE, "initial": str(initial), **training}}


def averaged(weights):
    return {name: tensor for name, tensor in weights.items() if name.startswith("ema.")}


@pytest.mark.parametrize("objective", ["diffusion", "one_step"])
def test_steps_of_no_size_return_the_weights_of_the_bundle(
    maps_dir, other_maps, tmp_path, objective
):
    first = run(maps_dir, tmp_path / "a", training={**SINGLE, "objective": objective})
    options = tuned(tmp_path / "a/model", objective=objective, **STILL)
    second = run(other_maps, tmp_path / "b", **options)
    for name, tensor in averaged(first).items():
        # the raw weights begin there, too: it is the average that draws
        for own in (name, name.replace("ema.", "raw.")):
            torch.testing.assert_close(second[own], tensor, rtol=0, atol=1e-25)


def test_a_bundle_in_half_precision_is_a_beginning(initial, other_maps, tmp_path):
    write_rounded(initial / "seed_0", tmp_path / "half")
    half = load_file(tmp_path / "half/weights.safetensors")
    weights = run(other_maps, tmp_path, **tuned(tmp_path / "half", **STILL))
    for name, tensor in half.items():
        torch.testing.assert_close(weights[name], tensor.float(), rtol=0, atol=1e-25)


def test_a_trained_beginning_is_far_ahead_and_its_weights_move(other_maps, tmp_path):
    """A bundle of an older format, which has learned a suite that is much like this one."""
    network = {**TINY["model"]["network"], "attention_levels": [], "heads": 4, "dropout": 0.0}
    model = {**TINY["model"], "network": network}
    weights = run(other_maps, tmp_path / "tuned", model=model, **tuned(TRAINED))
    before = load_file(TRAINED / "weights.safetensors")
    assert any(not torch.equal(weights[name], before[name]) for name in averaged(before))
    run(other_maps, tmp_path / "anew", model=model, training=SINGLE)
    ahead, anew = (
        read_card(tmp_path / side / "model").metrics["val_loss"] for side in ("tuned", "anew")
    )
    assert ahead < 0.7 * anew


def test_the_statistics_are_those_of_the_bundle_and_the_rest_is_of_the_suite(
    initial, other_maps, tmp_path
):
    run(other_maps, tmp_path, **tuned(initial))
    old, new = (read_card(path).normalisation for path in (initial / "seed_0", tmp_path / "model"))
    fitted = normalise(other_maps, TINY)
    kept = ("target_mean", "target_std", "condition_mean", "condition_std", "context_factors")
    for name in kept:
        assert getattr(new, name) == getattr(old, name)
    assert fitted.target_mean != old.target_mean
    assert new.defined_share == fitted.defined_share != old.defined_share
    assert new.cosmic_share == fitted.cosmic_share
    assert new.params == fitted.params == old.params


def test_weights_of_the_loss_are_those_of_the_config(initial, other_maps, tmp_path):
    channels = [{"name": "dm_hydro"}, {"name": "gas", "loss_weight": 7.0}, {"name": "stars"}]
    model = {**TINY["model"], "channels": channels}
    run(other_maps, tmp_path, model=model, **tuned(initial))
    card = read_card(tmp_path / "model")
    assert card.normalisation.channels[1].loss_weight == 7.0


def test_the_card_names_the_weights_and_not_where_they_lay(initial, other_maps, tmp_path):
    run(other_maps, tmp_path, **tuned(initial))
    card, old = read_card(tmp_path / "model"), read_card(initial / "seed_0")
    assert card.attributes["initial"] == f"tiny, weights {old.weights_sha256}"
    assert str(initial) not in (tmp_path / "model/model.json").read_text()
    assert "initial" not in card.training
    done = CliRunner().invoke(app, ["bundle", "info", str(tmp_path / "model")])
    assert old.weights_sha256 in done.output
    drawn = emulator.load(tmp_path / "model", device="cpu").sample(
        read_maps(other_maps / "CV_0.h5").maps[0, 0], read_maps(other_maps / "CV_0.h5").params,
        centres=[(8, 8)], n_members=2, sampling={"n_steps": 4}, out_of_range="warn",
    )  # fmt: skip
    assert np.isfinite(drawn.fields.values).all()


@pytest.mark.parametrize("objective", ["diffusion", "one_step"])
def test_an_interrupted_fine_tuning_ends_with_the_same_weights(
    maps_dir, other_maps, tmp_path, monkeypatch, objective
):
    run(maps_dir, tmp_path / "first", training={**SINGLE, "objective": objective})
    options = tuned(tmp_path / "first/model", objective=objective)
    run(other_maps, tmp_path / "straight", **options)
    with (
        killed_at(monkeypatch, 5, KeyboardInterrupt("killed")),
        pytest.raises((KeyboardInterrupt, SystemExit, EmulatorError)),
    ):
        run(other_maps, tmp_path / "killed", **options)
    # the bundle may have moved in between: what counts are its weights
    shutil.move(tmp_path / "first", tmp_path / "elsewhere")
    options = tuned(tmp_path / "elsewhere/model", objective=objective)
    run(other_maps, tmp_path / "killed", **options)
    files = [tmp_path / side / "model/weights.safetensors" for side in ("straight", "killed")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert len(list((tmp_path / "killed/state").glob("train-*"))) == 1


def test_other_weights_at_the_same_place_do_not_resume(maps_dir, initial, tmp_path):
    models = tmp_path / "models"
    shutil.copytree(initial, models)
    run(maps_dir, tmp_path / "a", **tuned(models))
    run(maps_dir, tmp_path / "b", training={**SINGLE, "learning_rate": 0.01})
    shutil.rmtree(models)
    shutil.move(tmp_path / "b/model", models / "seed_0")
    run(maps_dir, tmp_path / "a", **tuned(models))
    run(maps_dir, tmp_path / "a", training=SINGLE)
    assert len(list((tmp_path / "a/state").glob("train-*"))) == 3


# ---------------------------------------------------------------------------------- configs


def test_a_config_without_is_written_as_before():
    plain = parse_config(TINY)
    assert "initial" not in plain.model_dump(mode="json")["training"]
    assert all("initial" not in stage_yaml(plain, stage) for stage in ("train", "regress"))
    with_one = parse_config({**TINY, **tuned("some/model")})
    assert "initial: some/model" in stage_yaml(with_one, "train")
    assert stage_yaml(with_one, "regress") == stage_yaml(parse_config(
        {**TINY, "training": SINGLE}), "regress")  # fmt: skip


@pytest.mark.parametrize(
    ("section", "changes", "words"),
    [
        ("training", {"objective": "residual"}, "objective diffusion or one_step, got residual"),
        (
            "diffusion",
            {"schedule": "learned_linear", "weight": "bound"},
            "not learned, got learned_linear",
        ),
        ("training", {"initial": "results/tiny/model"}, "results of this experiment itself"),
        ("training", {"initial": "$NOWHERE/model"}, "NOWHERE.* is not set"),
    ],
)
def test_a_config_that_cannot_be_fine_tuned_is_refused(section, changes, words):
    raw = {**TINY, **tuned("results/other/model")}
    parse_config(raw)
    raw[section] = {**raw.get(section, {}), **changes}
    with pytest.raises(ConfigError, match=words):
        parse_config(raw)


def test_files_of_the_bundle_are_inputs_and_a_missing_one_is_said(initial, tmp_path):
    config = parse_config({**TINY, **tuned(initial)})
    names = ["model.json", "weights.safetensors"]
    assert teacher_files(config) == [str(initial / "seed_0" / name) for name in names]
    with pytest.raises(ConfigError, match=r"none: expected a bundle.*data/reference"):
        teacher_files(parse_config({**TINY, **tuned(tmp_path / "none")}))
    shutil.copytree(initial, tmp_path / "two")
    shutil.copytree(initial / "seed_0", tmp_path / "two/seed_1")
    with pytest.raises(ConfigError, match=r"got 2 \(seed_0, seed_1\): name one"):
        teacher_files(parse_config({**TINY, **tuned(tmp_path / "two")}))


def changed(section, **values):
    """TINY with other values in a section."""
    return {section: {**TINY[section], **values}}


def network(**values):
    return changed("model", network={**TINY["model"]["network"], **values})


MISFITS = [
    (network(widths=[8, 24]), r"model\.network\.widths: expected \[8, 16\].*got \[8, 24\]"),
    (network(per_field=True), r"model\.network\.per_field: expected False .* got True"),
    ({"diffusion": {"gamma_max": 12.0}}, r"diffusion\.gamma_max: expected 13 .*got 12"),
    ({"diffusion": {"prediction": "x"}}, r"diffusion\.prediction: expected v .*got x"),
    (
        changed("model", params=["A_SN1", "Omega_m"]),
        r"model\.params: expected \['Omega_m', 'A_SN1'\].*got \['A_SN1', 'Omega_m'\]",
    ),
    (changed("model", params=["Omega_m"]), r"model\.params: .*got \['Omega_m'\]"),
    (
        changed("model", channels=[{"name": "gas"}, {"name": "dm_hydro"}, {"name": "stars"}]),
        r"model\.channels: expected \['dm_hydro', 'gas', 'stars'\].*got \['gas',",
    ),
    (
        changed("model", channels=[{"name": "dm_hydro"}, {"name": "gas", "transform": "log"},
                                   {"name": "stars"}]),
        r"model\.channels \(gas\)\.transform: expected log_ratio .*got log",
    ),
    (
        changed("model", channels=[{"name": "dm_hydro"}, {"name": "gas"},
                                   {"name": "stars", "occupancy": "analog_bits"}]),
        r"\(stars\)\.occupancy: expected z_score",
    ),
    (changed("data", window=8), r"data\.window: expected 16 .*got 8"),
    (changed("data", context_factors=[2]), r"data\.context_factors: expected \[2, 4\].*got \[2\]"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), MISFITS)
def test_weights_that_mean_something_else_are_refused_before_any_job(initial, changes, words):
    """By the workflow, from ``model.json`` alone; the message says what can be done."""
    config = parse_config({**TINY, **tuned(initial), **changes})
    with pytest.raises(ConfigError, match=rf"mean something else here: .*{words}.*or train it"):
        teacher_files(config)


def test_the_pixels_of_the_embedded_suite_are_known_before_any_job(initial):
    suite = {"kind": "embedded", "box_size_mpch": 12.8}
    fits = {**TINY, **tuned(initial), "suite": suite}
    assert teacher_files(parse_config(fits))
    for changes, words in (
        ({"suite": {**suite, "box_size_mpch": 25.6}}, r"pixel .*: expected 0\.2 .*got 0\.4"),
        ({"suite": {**suite, "redshifts": [0.5]}}, r"suite\.redshifts: expected 0 .*got 0\.5"),
        (changed("data", slabs=2), r"depth .*: expected 12\.8 .*got 6\.4"),
    ):
        with pytest.raises(ConfigError, match=words):
            teacher_files(parse_config({**fits, **changes}))


def test_the_command_line_refuses_what_only_maps_say(initial, maps_dir, tmp_path):
    """Another range, another pixel, weights of another kind, and the old place; in one line."""
    results = tmp_path / "results"
    write_json(results / "splits.json", SPLITS)
    statistics = normalise(maps_dir, TINY)
    path = tmp_path / "train.yaml"

    def refused(normalisation, maps, words, raw=None, *more):
        normalisation.write(results / "normalisation.json")
        path.write_text(yaml.safe_dump({**TINY, **tuned(initial), **(raw or {})}))
        given = ["train", path, "--maps", maps, "--results", results, *more]
        done = CliRunner().invoke(app, list(map(str, given)))
        assert done.exit_code == 1
        with pytest.raises((ConfigError, DataError), match=words):
            raise done.exception
        assert not (results / "model").exists()

    wider = statistics.model_dump(mode="json")
    wider["params"]["A_SN1"]["maximum"] = 2.0
    refused(
        Normalisation.parse(wider, "test"), maps_dir,
        r"\(A_SN1\): expected the range 0 to 1 \(linear\).*got 0 to 2 \(linear\)",
    )  # fmt: skip
    coarse = tmp_path / "coarse"
    coarse.mkdir()
    for name in ("SB_0", "SB_1", "SB_2"):
        copy_with_attributes(maps_dir / f"{name}.h5", coarse / f"{name}.h5", pixel_mpch=0.4)
    refused(statistics, coarse, r"pixel_mpch: expected 0\.2 as the bundle has it, got maps of 0\.4")
    one_step = {"training": {**SINGLE, "initial": str(initial), "objective": "one_step"}}
    refused(statistics, maps_dir, r"training\.objective: expected diffusion .*one_step", one_step)
    for words, raw in ((words, changes) for changes, words in MISFITS[:4]):
        refused(statistics, maps_dir, words, raw)
    normal = parse_config({**TINY, **tuned(initial)})
    with pytest.raises(ConfigError, match="is where the new model is written"):
        read_initial(normal, statistics, initial / "seed_0")


def copy_with_attributes(source, target, **attrs):
    from emulator.io import read_dataset, write_dataset

    write_dataset(read_dataset(source).assign_attrs(attrs), target)


def test_a_damaged_bundle_is_refused(initial, maps_dir, tmp_path):
    shutil.copytree(initial / "seed_0", tmp_path / "bundle")
    blob = (tmp_path / "bundle/weights.safetensors").read_bytes()
    (tmp_path / "bundle/weights.safetensors").write_bytes(blob[:-1] + b"?")
    with pytest.raises(DataError, match="SHA-256"):
        run(maps_dir, tmp_path, **tuned(tmp_path / "bundle"))
    text = (initial / "seed_0/model.json").read_text()
    assert "initial" not in json.loads(text)["attributes"]
