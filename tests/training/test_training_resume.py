"""Training goes on after an interruption as if there had been none; bundles carry everything."""

import json
import math
import subprocess
import sys

import fabricated
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import emulator
from emulator.config import parse_config
from emulator.data.fit import fit_normalisation
from emulator.data.maps import read_maps
from emulator.io import DataError, EmulatorError
from emulator.training import trainer as trainer_module
from emulator.training.bundle import read_bundle
from emulator.training.ema import build_ema, warmup_decay
from emulator.training.trainer import train

SPLITS = {"train": ["SB_0", "SB_1"], "validation": ["SB_2"], "test": ["CV_0"]}
TINY = {
    "name": "tiny",
    "data": {"n_pixels": 64, "window": 16, "context_factors": [2, 4]},
    "model": {
        "params": ["Omega_m", "A_SN1"],
        "network": {
            "widths": [8, 16], "blocks": 1, "attention_levels": [1], "groups": 4, "heads": 2,
            "embedding": 16, "dropout": 0.1,
        },
    },
    "training": {
        "max_steps": 8, "checkpoint_steps": 2, "batch_size": 4, "warmup_steps": 2,
        "validation_windows": 8,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def maps_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    for simulation in fabricated.simulations(n_train=2, n_cv=1):
        fabricated.write_maps(folder, simulation)
    return folder


def run(maps_dir, root, **overrides):
    config = parse_config({**TINY, **overrides})
    paths = [maps_dir / f"{name}.h5" for name in SPLITS["train"]]
    normalisation = fit_normalisation(paths, config.model, config.data.context_factors)
    train(
        config, normalisation, SPLITS,
        maps_dir=maps_dir, state_dir=root / "state", output=root / "model",
    )  # fmt: skip
    return load_file(root / "model/weights.safetensors")


@pytest.fixture(scope="module")
def whole(maps_dir, tmp_path_factory):
    """One uninterrupted training and its weights."""
    root = tmp_path_factory.mktemp("whole")
    return root, run(maps_dir, root)


class Killed(BaseException):
    """Not an Exception: nothing on the way may catch it, as nothing catches kill -9."""


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_an_interrupted_run_ends_with_the_same_weights(maps_dir, tmp_path, monkeypatch, precision):
    training = {**TINY["training"], "precision": precision}
    uninterrupted = run(maps_dir, tmp_path / "a", training=training)

    original, steps = trainer_module.EmulatorModule.training_step, []

    def dying(self, batch, batch_idx):
        steps.append(self.global_step)
        if self.global_step == 5:  # in the middle of the third epoch
            raise Killed
        return original(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(trainer_module.EmulatorModule, "training_step", dying)
        with pytest.raises(Killed):
            run(maps_dir, tmp_path / "b", training=training)
        assert not (tmp_path / "b/model/model.json").exists()
        steps.clear()
        patch.setattr(trainer_module.EmulatorModule, "training_step", original)
        resumed = run(maps_dir, tmp_path / "b", training=training)
    assert uninterrupted.keys() == resumed.keys()
    for name, tensor in uninterrupted.items():
        assert torch.equal(tensor, resumed[name]), name
    rows = [(tmp_path / side / "model/history.csv").read_text().splitlines() for side in "ab"]
    assert [row.split(",")[:4] for row in rows[0]] == [row.split(",")[:4] for row in rows[1]]


def test_where_windows_come_from_does_not_matter(maps_dir, whole, tmp_path, monkeypatch):
    """Windows from disk, cut by two processes, and from half way on otherwise: the same weights."""
    training = {**TINY["training"], "cache": "none", "loader_workers": 2}
    original = trainer_module.EmulatorModule.training_step

    def dying(self, batch, batch_idx):
        if self.global_step == 4:
            raise Killed
        return original(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(trainer_module.EmulatorModule, "training_step", dying)
        with pytest.raises(Killed):
            run(maps_dir, tmp_path, training=training)
    assert list(tmp_path.glob("state/*/state.ckpt"))
    weights = run(maps_dir, tmp_path, training={**training, "cache": "memory", "loader_workers": 1})
    assert len(list(tmp_path.glob("state/*"))) == 1
    assert all(torch.equal(weights[name], tensor) for name, tensor in whole[1].items())


def test_resuming_does_not_repeat_what_was_done(maps_dir, tmp_path, monkeypatch):
    run(maps_dir, tmp_path)
    (tmp_path / "model/model.json").unlink()
    original, steps = trainer_module.EmulatorModule.training_step, []

    def counted(self, batch, batch_idx):
        steps.append(self.global_step)
        return original(self, batch, batch_idx)

    monkeypatch.setattr(trainer_module.EmulatorModule, "training_step", counted)
    run(maps_dir, tmp_path)
    assert steps == []
    assert (tmp_path / "model/model.json").exists()


def test_another_config_does_not_resume_this_state(maps_dir, whole, tmp_path):
    root, weights = whole
    states = set((root / "state").iterdir())
    training = {**TINY["training"], "learning_rate": 2.0e-3}
    other = run(maps_dir, tmp_path, training=training)
    assert {p.name for p in (tmp_path / "state").iterdir()}.isdisjoint(p.name for p in states)
    assert any(not torch.equal(weights[name], other[name]) for name in weights)


def test_a_damaged_state_is_named(maps_dir, tmp_path):
    run(maps_dir, tmp_path)
    (state,) = (tmp_path / "state").glob("*/state.ckpt")
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"state\.ckpt: expected a readable training state"):
        run(maps_dir, tmp_path)


def test_history_has_loss_and_the_bound_of_every_epoch(whole):
    lines = (whole[0] / "model/history.csv").read_text().splitlines()
    header, rows = lines[0].split(","), [line.split(",") for line in lines[1:]]
    assert [row[0] for row in rows] == ["2", "4", "6", "8"]
    table = {name: [float(row[i]) for row in rows] for i, name in enumerate(header)}
    assert all(math.isfinite(v) for column in table.values() for v in column)
    nats = [table[f"val_{term}_nats"] for term in ("diffusion", "prior", "reconstruction")]
    bits = np.sum(nats, axis=0) / (4 * 16 * 16 * math.log(2))
    assert table["val_bits_per_dimension"] == pytest.approx(bits, rel=1e-4)


def test_average_with_warmup_against_its_definition():
    assert [warmup_decay(n, 0.9) for n in (0, 10, 10**6)] == pytest.approx([1 / 20, 11 / 30, 0.9])
    layer = torch.nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(1.0)
    ema, expected = build_ema(layer, 0.5), 1.0
    for n, value in enumerate([1.0, 3.0, -2.0, 5.0, 4.0]):
        layer.weight.data.fill_(value)
        ema.update_parameters(layer)
        # torch copies the first value; later updates use the warm-up decay
        expected = value if n == 0 else expected + (1 - warmup_decay(n, 0.5)) * (value - expected)
        assert float(ema.module.weight) == pytest.approx(expected)


# -------------------------------------------------------------------------------------- bundle


def condition(maps_dir):
    maps = read_maps(maps_dir / "CV_0.h5")
    return maps.select(["dmo"])[0, 0], {name: maps.params[name] for name in ("Omega_m", "A_SN1")}


def test_a_fresh_process_draws_the_same_samples(whole, maps_dir, tmp_path):
    box, params = condition(maps_dir)
    np.save(tmp_path / "box.npy", box)
    code = (
        "import sys, json, numpy as np, emulator\n"
        "root, model, params = sys.argv[1:]\n"
        "fields = emulator.load(model).sample(np.load(root + '/box.npy'), json.loads(params),"
        " centres=[(8, 60)], n_members=2, seed=3).fields\n"
        "np.save(root + '/fresh.npy', fields.values)\n"
    )
    arguments = [str(tmp_path), str(whole[0] / "model"), json.dumps(params)]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)
    here = emulator.load(whole[0] / "model").sample(
        box, params, centres=[(8, 60)], n_members=2, seed=3
    )
    np.testing.assert_array_equal(np.load(tmp_path / "fresh.npy"), here.fields.values)


def test_the_average_is_what_samples(whole):
    weights = whole[1]
    _, network = read_bundle(whole[0] / "model")
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, weights[f"ema.{name}"])
    assert any(
        not torch.equal(weights[n], weights[n.replace("ema.", "raw.")])
        for n in weights
        if n.startswith("ema.")
    )


def damaged(whole, tmp_path, change):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(whole[0] / "model", folder)
    change(folder)
    with pytest.raises(EmulatorError) as error:
        emulator.load(folder)
    return str(error.value)


def rewrite_card(folder, **changes):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_weights_of_another_model_are_refused(whole, tmp_path):
    def change(folder):
        (folder / "weights.safetensors").write_bytes(b"\0" * 100)

    assert "SHA-256" in damaged(whole, tmp_path, change)


def test_missing_and_extra_weights_are_refused(whole, tmp_path):
    import hashlib

    def change(folder):
        path = folder / "weights.safetensors"
        tensors = load_file(path)
        tensors["ema.surplus"] = tensors.pop("ema.out.bias")
        save_file(tensors, path)
        rewrite_card(folder, weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest())

    message = damaged(whole, tmp_path, change)
    assert "out.bias" in message
    assert "surplus" in message


def test_unknown_formats_and_missing_files_are_refused(whole, tmp_path):
    message = damaged(whole, tmp_path / "a", lambda folder: rewrite_card(folder, format_version=9))
    assert "expected format_version 2, got 9" in message
    message = damaged(whole, tmp_path / "b", lambda f: (f / "weights.safetensors").unlink())
    assert "weights.safetensors: expected the weights" in message
    message = damaged(whole, tmp_path / "c", lambda f: (f / "model.json").unlink())
    assert "no such file" in message
