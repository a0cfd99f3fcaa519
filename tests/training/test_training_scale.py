"""A step is the same step in parts, on two processes, and after any signal."""

import csv
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from tiny import SPLITS, TINY, normalise, run

from emulator.diffusion.times import AdaptiveTimes
from emulator.io import EmulatorError, read_json, write_json
from emulator.training import trainer as trainer_module
from emulator.training.nodes import meet_nodes
from emulator.training.objectives import diffusion as diffusion_module
from emulator.training.optimiser import decay_factor
from emulator.training.state import EXIT_REQUEUE, previous_of

SINGLE = {**TINY["training"], "precision": "32"}
PLAIN = {**TINY["model"], "network": {**TINY["model"]["network"], "dropout": 0.0}}


def losses(root):
    (path,) = (root / "model").glob("**/history.csv")
    with path.open() as handle:
        return [float(row["train_loss"]) for row in csv.DictReader(handle)]


@pytest.fixture(scope="module")
def whole(maps_dir, tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    return root, run(maps_dir, root, training=SINGLE, model=PLAIN)


def assert_close(weights, others, tolerance=1e-5):
    assert weights.keys() == others.keys()
    for name, tensor in weights.items():
        torch.testing.assert_close(tensor, others[name], rtol=0, atol=tolerance)


def test_a_step_in_parts_is_the_same_step(maps_dir, tmp_path):
    diffusion, found = {"drop_params": 0.3, "drop_context": 0.3}, []
    for accumulate in (1, 2, 4):
        root = tmp_path / str(accumulate)
        options = {"training": {**SINGLE, "accumulate": accumulate}, "model": PLAIN}
        found.append((run(maps_dir, root, diffusion=diffusion, **options), losses(root)))
    for weights, loss in found[1:]:
        assert_close(weights, found[0][0])
        assert loss == pytest.approx(found[0][1], abs=1e-5)


def test_a_step_in_parts_learns_its_times_as_a_whole(maps_dir, tmp_path, monkeypatch):
    """Adaptive times follow the losses of steps, not of parts: few bins are seen at once."""
    monkeypatch.setattr(diffusion_module, "build_times", lambda name: AdaptiveTimes(n_bins=4))
    found, diffusion = [], {"times": "adaptive"}
    for accumulate in (1, 2, 4):
        root = tmp_path / str(accumulate)
        options = {"training": {**SINGLE, "accumulate": accumulate}, "model": PLAIN}
        found.append((run(maps_dir, root, diffusion=diffusion, **options), losses(root)))
    for weights, loss in found[1:]:
        assert_close(weights, found[0][0])
        assert loss == pytest.approx(found[0][1], abs=1e-5)
    monkeypatch.undo()
    options = {"training": SINGLE, "model": PLAIN}
    run(maps_dir, tmp_path / "even", diffusion={"times": "low_discrepancy"}, **options)
    assert losses(tmp_path / "even") != pytest.approx(found[0][1], abs=1e-4)


def command(folder, config):
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(config))
    return [sys.executable, "-m", "emulator", "train", str(path)]


def prepare(maps_dir, folder, config):
    """What the command line reads; returns the command."""
    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    normalise(maps_dir, config).write(results / "normalisation.json")
    write_json(results / "splits.json", SPLITS)
    return [*command(folder, config), "--maps", str(maps_dir), "--results", str(results)]


ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


@pytest.mark.slow
def test_two_processes_train_as_one(maps_dir, whole, tmp_path):
    """Gloo on two CPU processes: the same losses to 1e-5, and each saw other windows."""
    training = {**SINGLE, "devices": 2, "accelerator": "cpu"}
    config = {**TINY, "model": PLAIN, "training": training}
    done = subprocess.run(
        prepare(maps_dir, tmp_path, config), env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("train: seed 0, 2 simulations") == 1  # said once
    (tmp_path / "model").symlink_to(tmp_path / "results/model/seed_0")
    assert losses(tmp_path) == pytest.approx(losses(whole[0]), abs=1e-5)
    assert_close(load_file(tmp_path / "model/weights.safetensors"), whole[1], 1e-4)


@pytest.mark.slow
def test_two_processes_choose_the_same_length_of_the_average(maps_dir, tmp_path):
    """Averages are in the state of every process; the first one keeps them for all."""
    for folder, devices in (("a", 1), ("b", 2)):
        training = {**SINGLE, "ema": "power", "devices": devices, "accelerator": "cpu"}
        config = {**TINY, "model": PLAIN, "training": training}
        subprocess.run(
            prepare(maps_dir, tmp_path / folder, config),
            env=ENVIRONMENT, check=True, capture_output=True,
        )  # fmt: skip
    one, two = (tmp_path / f"{folder}/results/model/seed_0" for folder in "ab")
    metrics = [read_json(model / "model.json")["metrics"] for model in (one, two)]
    for name in ("ema_length", "val_loss", "val_loss_ema_0.03", "val_loss_ema_0.25"):
        assert metrics[1][name] == pytest.approx(metrics[0][name], abs=1e-5)
    weights = [load_file(model / "weights.safetensors") for model in (one, two)]
    assert_close(weights[1], weights[0], 1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "workers", "code"),
    [
        (signal.SIGTERM, 2, EXIT_REQUEUE),
        (signal.SIGUSR1, 0, EXIT_REQUEUE),
        (signal.SIGINT, 2, 130),
    ],
)
def test_a_signal_saves_the_state_and_asks_to_be_queued_again(
    maps_dir, tmp_path, number, workers, code
):
    """Stopped at any step, with all its processes; the same command ends with the same weights."""
    long = {**SINGLE, "max_steps": 40, "checkpoint_steps": 20, "loader_workers": workers}
    config = {**TINY, "training": long}
    straight = prepare(maps_dir, tmp_path / "a", config)
    subprocess.run(straight, env=ENVIRONMENT, check=True, capture_output=True)

    stopped = prepare(maps_dir, tmp_path / "b", config)
    process = subprocess.Popen(
        [sys.executable, "tests/training/slow_steps.py", *stopped[3:]],
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    for line in process.stdout:
        if "step 7" in line:
            os.killpg(process.pid, number)  # schedulers and terminals signal the whole group
            break
    rest = process.stdout.read()
    assert process.wait() == code, rest
    assert "Traceback" not in rest
    assert f"training stopped after step 8 ({signal.Signals(number).name})" in rest
    assert not (tmp_path / "b/results/model/seed_0/model.json").exists()
    done = subprocess.run(stopped, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert "going on from" in done.stdout
    first, second = (
        load_file(tmp_path / side / "results/model/seed_0/weights.safetensors") for side in "ab"
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert losses(tmp_path / "a/results") == losses(tmp_path / "b/results")


def test_signals_are_given_back_after_a_training(maps_dir, tmp_path):
    def mine(number, frame):
        raise SystemExit

    numbers = (signal.SIGTERM, signal.SIGUSR1)
    before = [signal.signal(number, mine) for number in numbers]
    try:
        run(maps_dir, tmp_path, training={**SINGLE, "max_steps": 2})
        assert [signal.getsignal(number) for number in numbers] == [mine, mine]
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def test_the_previous_state_is_kept_and_gone_on_from(maps_dir, tmp_path):
    run(maps_dir, tmp_path, training=SINGLE)
    (state,) = (tmp_path / "state").glob("*/state.ckpt")
    last, kept = state.read_bytes(), previous_of(state)
    assert torch.load(kept, weights_only=True)["global_step"] == 6
    state.write_bytes(last[:1000])
    resumed = run(maps_dir, tmp_path, training=SINGLE)
    assert_close(resumed, run(maps_dir, tmp_path / "b", training=SINGLE), 0.0)
    # a writer that died between the two renames has left only the previous one
    os.replace(state, kept)
    os.remove(tmp_path / "model/model.json")
    run(maps_dir, tmp_path, training=SINGLE)


def test_a_loss_that_is_not_finite_names_step_and_simulation(maps_dir, tmp_path, monkeypatch):
    original = trainer_module.DiffusionModule._loss

    def broken(self, network, x, eps, t):
        values = original(self, network, x, eps, t)
        training = self.training and self.global_step == 5
        return values * torch.tensor([1.0, float("nan"), 1.0, 1.0]) if training else values

    monkeypatch.setattr(trainer_module.DiffusionModule, "_loss", broken)
    with pytest.raises(EmulatorError, match=r"not finite at step 5, for windows of SB_[01]\. The"):
        run(maps_dir, tmp_path, training=SINGLE)
    (state,) = (tmp_path / "state").glob("*/state.ckpt")
    assert torch.load(state, weights_only=True)["global_step"] == 4  # the last good one


@pytest.mark.parametrize(
    ("training", "splits", "words"),
    [
        ({"accelerator": "gpu"}, SPLITS, ["accelerator: gpu", "no GPU is visible"]),
        (
            {"num_nodes": 2, "batch_size": 4},
            SPLITS,
            ["num_nodes is 2", "started on 1 node", "srun"],
        ),
        ({"batch_size": 4000}, SPLITS, ["batch_size is 4000", "only 96 windows"]),
        ({}, SPLITS | {"validation": []}, ["validation split is empty"]),
        ({}, SPLITS | {"train": []}, ["train split is empty"]),
    ],
)
def test_what_cannot_be_trained_is_said_before(maps_dir, tmp_path, training, splits, words):
    if "accelerator" in training and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(EmulatorError) as error:
        run(maps_dir, tmp_path, splits=splits, training={**SINGLE, **training})
    for word in words:
        assert word in str(error.value)


def test_nodes_meet_where_srun_says(monkeypatch):
    step = {
        "SLURM_JOB_ID": "60123", "SLURM_STEP_NUM_NODES": "2", "SLURM_NODEID": "1",
        "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.7",
    }  # fmt: skip
    wanted = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK")
    for name in wanted:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name, value in step.items():
        monkeypatch.setenv(name, value)
    meet_nodes(1)
    assert "NODE_RANK" not in os.environ
    meet_nodes(2)
    assert [os.environ[name] for name in wanted] == ["10.0.0.7", "20123", "1"]
    monkeypatch.setenv("NODE_RANK", "0")  # another launcher has said it already
    meet_nodes(3)
    assert os.environ["NODE_RANK"] == "0"


def test_a_batch_that_cannot_be_divided_is_refused(maps_dir, tmp_path):
    with pytest.raises(EmulatorError, match=r"batch_size \(4\) must be a multiple of .* = 3"):
        run(maps_dir, tmp_path, training={**SINGLE, "accumulate": 3})


def test_the_parameter_head_learns_and_stays_behind(maps_dir, whole, tmp_path):
    training = {**SINGLE, "parameter_head_weight": 0.01, "max_steps": 4}
    weights = run(maps_dir, tmp_path, training=training, model=PLAIN)
    assert weights.keys() == whole[1].keys()  # no head in the bundle
    assert any(not torch.equal(weights[n], whole[1][n]) for n in weights)


def test_decays_of_the_learning_rate():
    steps = np.array([0, 50, 100])
    for name, expected in {
        "cosine": 0.5 * (1 + np.cos(np.pi * steps / 100)),
        "linear": 1 - steps / 100,
        "constant": np.ones(3),
        "inverse_sqrt": np.sqrt(20 / np.maximum(steps, 20)),
    }.items():
        found = [decay_factor(name, int(s), 20, 100) for s in steps]
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_training_says_what_its_network_costs(maps_dir, tmp_path, capfd):
    run(maps_dir, tmp_path, training={**SINGLE, "max_steps": 2})
    said = capfd.readouterr().out
    assert "M weights" in said
    assert "GFLOP" in said
    assert "MB of activations" in said
