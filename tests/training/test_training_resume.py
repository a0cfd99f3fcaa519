"""Training goes on after an interruption as if there had been none; bundles carry everything."""

import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from killed import killed_at
from safetensors.torch import load_file, save_file
from tiny import TINY, run

import emulator
from emulator.data.maps import read_maps
from emulator.io import DataError, EmulatorError, read_json, write_json
from emulator.model.bundle import read_bundle
from emulator.training import trainer as trainer_module
from emulator.training.ema import build_ema, warmup_decay
from emulator.training.state import previous_of


@pytest.fixture(scope="module")
def whole(maps_dir, tmp_path_factory):
    """One uninterrupted training and its weights."""
    root = tmp_path_factory.mktemp("whole")
    return root, run(maps_dir, root)


class Killed(BaseException):
    """Not an Exception: nothing on the way may catch it, as nothing catches kill -9."""


LEARNED = {
    "schedule": "learned_nn", "learn_ends": True, "weight": "bound", "prediction": "v",
    "times": "adaptive", "drop_params": 0.3, "drop_context": 0.3,
}  # fmt: skip


@pytest.mark.parametrize(
    ("precision", "diffusion"), [("32", {}), ("bf16", {}), ("32", LEARNED)], ids=str
)
def test_an_interrupted_run_ends_with_the_same_weights(
    maps_dir, tmp_path, monkeypatch, precision, diffusion
):
    training = {**TINY["training"], "precision": precision}
    uninterrupted = run(maps_dir, tmp_path / "a", training=training, diffusion=diffusion)

    original, steps = trainer_module.EmulatorModule.training_step, []

    def dying(self, batch, batch_idx):
        steps.append(self.global_step)
        if self.global_step == 5:  # in the middle of the third epoch
            raise Killed
        return original(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(trainer_module.EmulatorModule, "training_step", dying)
        with pytest.raises(Killed):
            run(maps_dir, tmp_path / "b", training=training, diffusion=diffusion)
        assert not (tmp_path / "b/model/model.json").exists()
        steps.clear()
        patch.setattr(trainer_module.EmulatorModule, "training_step", original)
        resumed = run(maps_dir, tmp_path / "b", training=training, diffusion=diffusion)
    assert uninterrupted.keys() == resumed.keys()
    for name, tensor in uninterrupted.items():
        assert torch.equal(tensor, resumed[name]), name
    card, _ = read_bundle(tmp_path / "a/model")
    assert bool(card.schedule) == bool(diffusion)
    for name in ("model.json", "weights.safetensors"):
        one, other = ((tmp_path / side / "model" / name).read_bytes() for side in "ab")
        assert one == other, name
    rows = [(tmp_path / side / "model/history.csv").read_text().splitlines() for side in "ab"]
    assert [row.split(",")[:4] for row in rows[0]] == [row.split(",")[:4] for row in rows[1]]


def test_where_windows_come_from_does_not_matter(maps_dir, whole, tmp_path, monkeypatch):
    """Windows from disk, cut by two processes, and from half way on otherwise: the same weights."""
    training = {**TINY["training"], "cache": "none", "loader_workers": 2}
    with killed_at(monkeypatch, 4, Killed), pytest.raises(Killed):
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


def test_a_damaged_state_gives_way_to_the_one_before(maps_dir, whole, tmp_path, capfd):
    """One byte is enough; the weights are those of a run that never stopped. Both: an error."""
    run(maps_dir, tmp_path)
    (state,) = (tmp_path / "state").glob("*/state.ckpt")
    for path, change in ((state, flip), (previous_of(state), lambda content: content[:1000])):
        path.write_bytes(change(path.read_bytes()))
        if path == state:
            weights = run(maps_dir, tmp_path)
            assert all(torch.equal(weights[name], whole[1][name]) for name in weights)
            said = capfd.readouterr().out
            assert f"{state}: expected the bytes that were written" in said
            assert f"going on from {previous_of(state)}" in said
            flip_file(state)
    with pytest.raises(DataError, match=r"state\.ckpt: expected the bytes .*removed, to start"):
        run(maps_dir, tmp_path)


def flip(content):
    """Change one bit in the middle."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def flip_file(path):
    path.write_bytes(flip(path.read_bytes()))


def test_history_has_loss_and_the_bound_of_every_epoch(whole):
    lines = (whole[0] / "model/history.csv").read_text().splitlines()
    header, rows = lines[0].split(","), [line.split(",") for line in lines[1:]]
    assert [row[0] for row in rows] == ["2", "4", "6", "8"]
    table = {
        name: [float(row[i]) for row in rows]
        for i, name in enumerate(header)
        if name.startswith(("train", "val_loss", "val_bits")) or name.endswith("_nats")
    }
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
    write_json(path, read_json(path) | changes)


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
    assert "expected format_version 2 to 8, got 9" in message
    message = damaged(whole, tmp_path / "b", lambda f: (f / "weights.safetensors").unlink())
    assert "weights.safetensors: expected the weights" in message
    message = damaged(whole, tmp_path / "c", lambda f: (f / "model.json").unlink())
    assert "expected a bundle" in message


# ---------------------------------------------------------------------- the forward process


def test_a_learned_schedule_moves_and_is_kept_in_the_bundle(maps_dir, tmp_path):
    training = {**TINY["training"], "learning_rate": 0.01}
    run(maps_dir, tmp_path, training=training, diffusion=LEARNED)
    model = emulator.load(tmp_path / "model", device="cpu")
    table = np.array(model.card.schedule)
    assert (np.diff(table) > 0).all()
    assert table[0] != pytest.approx(-13.3, abs=1e-4)  # the ends have moved ...
    straight = np.linspace(table[0], table[-1], len(table))
    assert 1e-3 < np.abs(table - straight).max() < 3.0  # ... and the shape is no line
    assert model.sampler.schedule.gamma_max == pytest.approx(table[-1])


def test_training_says_whether_gamma_max_is_enough(maps_dir, tmp_path, capfd):
    """Warned with numbers, by channel; and what would be enough is enough."""
    run(maps_dir, tmp_path / "a", diffusion={"gamma_max": 5.0})
    warned = capfd.readouterr().out
    found = re.search(
        r"warning: at gamma_max 5 .* power of (?P<channels>.*)\. Raise diffusion\.gamma_max to "
        r"(?P<needed>[\d.]+)",
        warned,
    )
    assert found, warned
    errors = [float(e) for e in re.findall(r"up to ([\d.]+)%", found["channels"])]
    assert errors
    assert min(errors) > 1.0
    needed = float(found["needed"]) + 0.1
    run(maps_dir, tmp_path / "b", diffusion={"gamma_max": needed})
    assert "is enough for the data's spectra" in capfd.readouterr().out


def test_the_bundle_holds_the_spectra_of_its_data(whole):
    root, _ = whole
    card, _ = read_bundle(root / "model")
    power = np.array(card.modes["power"])
    assert power.shape == (4, 12)  # network channels; shells of a window of 16 pixels
    # normalised channels have about unit variance, so the mean over modes is about one (but for
    # the amplitude of stars, which is zero in the many empty pixels)
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(16, 1 / 16), np.fft.fftfreq(16, 1 / 16)))
    shares = np.bincount(np.rint(k).astype(int).ravel()) / 256
    assert ((power @ shares > 0.3) & (power @ shares < 3.0))[:3].all()
    assert (np.array(card.modes["residual"]) <= power + 1e-9).all()
