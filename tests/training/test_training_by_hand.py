"""A training against its steps written out in plain torch: weights, average, rates and history."""

import csv
import math
from itertools import pairwise

import pytest
import torch
from safetensors.torch import load_file
from tiny import SPLITS, TINY, normalise, run

from emulator.config import parse_config
from emulator.data.maps import read_maps
from emulator.diffusion.times import build_times
from emulator.model.build import build_network, build_schedule
from emulator.model.field_transform import FieldTransform
from emulator.model.windows import windows_for
from emulator.networks.backbone import ParameterHead
from emulator.training.monitor import BIN_EDGES, bin_names
from emulator.training.objectives.base import step_seed

STEPS, PEAK, WARMUP, DECAY, CLIP, CEILING = 4, 4.0e-3, 2, 3.0, 0.3, 0.12
DROPS = {"drop_params": 0.3, "drop_each_param": 0.2, "drop_context": 0.4}
CHANNELS = [
    {"name": "dm_hydro", "transform": "log_ratio", "loss_weight": 2.0},
    {"name": "gas", "transform": "log_ratio"},
    {"name": "stars", "transform": "hurdle", "loss_weight": 0.5},
]
WEIGHTS = torch.tensor([2.0, 1.0, 0.5, 0.5])
"""Of the network's channels: a hurdle field has two."""


def options(**training):
    network = {**TINY["model"]["network"], "dropout": 0.0}
    return {
        **TINY,
        "model": {**TINY["model"], "network": network, "channels": CHANNELS},
        "diffusion": {**DROPS, "times": "adaptive"},
        "training": {
            "max_steps": STEPS, "checkpoint_steps": 2, "batch_size": 32, "warmup_steps": WARMUP,
            "learning_rate": PEAK, "weight_decay": DECAY, "gradient_clip": CLIP,
            "ema_decay": CEILING, "precision": "32", "mass_tilt": 0.7, "validation_windows": 70,
            "ensemble_every": 0, **training,
        },
    }  # fmt: skip


class Replay:
    """The same training, by hand."""

    def __init__(self, maps_dir, raw):
        self.config = parse_config(raw)
        self.maps = [
            [read_maps(maps_dir / f"{name}.h5") for name in SPLITS[split]]
            for split in ("train", "validation")
        ]
        self.normalisation = normalise(maps_dir, raw)
        self.transform = FieldTransform(self.normalisation)
        self.schedule = build_schedule(self.config.diffusion)
        torch.manual_seed(0)
        self.network = build_network(
            self.config.model.network, self.config.diffusion, self.normalisation
        )
        self.head = None
        if self.config.training.parameter_head_weight:
            self.head = ParameterHead(self.network.feature_width, 2)
        self.average = {}
        self.losses, self.rates = [], []

    def fields(self, batch):
        x = self.transform.transform(batch.target, batch.condition)
        fields, params, _ = self.transform.encode(batch.condition)
        return x, fields, params

    def output_and_target(self, network, x, eps, gamma, *told):
        """V-prediction: alpha eps - sigma x, at z = alpha x + sigma eps."""
        alpha, sigma = (torch.sigmoid(g).sqrt()[:, None, None, None] for g in (-gamma, gamma))
        return network(alpha * x + sigma * eps, gamma, *told), alpha * eps - sigma * x

    def train(self):
        matrices = [p for p in self.network.parameters() if p.ndim > 1]
        vectors = [p for p in self.network.parameters() if p.ndim == 1]
        of_head = [] if self.head is None else list(self.head.parameters())
        optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": DECAY},
             {"params": vectors + of_head, "weight_decay": 0.0}]
        )  # fmt: skip
        windows = windows_for(
            self.normalisation, self.maps[0], window=16, batch_size=32, seed=0, mass_tilt=0.7
        )
        times = build_times("adaptive")
        for step in range(STEPS):
            rate = PEAK * min(1.0, (step + 1) / (WARMUP + 1))
            rate *= 0.5 * (1 + math.cos(math.pi * step / STEPS))
            for group in optimizer.param_groups:
                group["lr"] = rate
            self.rates.append(rate)
            optimizer.zero_grad()
            loss = self.loss(windows[step], times, step)
            loss.backward()
            torch.nn.utils.clip_grad_norm_([*matrices, *vectors, *of_head], CLIP)
            optimizer.step()
            self.update_average(step)

    def loss(self, batch, times, step):
        torch.manual_seed(step_seed(0, 0, step))
        eps = torch.randn(32, 4, 16, 16)
        t, importance = times.draw(32)
        assert (importance == 1.0).all() == (step == 0)  # all bins of time are seen at once
        told = (torch.rand(32, 1) >= DROPS["drop_params"]) & (
            torch.rand(32, 2) >= DROPS["drop_each_param"]
        )
        with_context = (torch.rand(32) >= DROPS["drop_context"]).float()
        x, fields, params = self.fields(batch)
        seen = torch.cat([fields[:, :1], fields[:, 1:] * with_context[:, None, None, None]], 1)
        gamma = self.schedule.gamma(t)
        output, target = self.output_and_target(
            self.network, x, eps, gamma, seen, params, told.float()
        )
        error = (output - target).square().mean((2, 3))
        losses = (error * WEIGHTS).sum(1) / WEIGHTS.sum()
        times.update(t, losses.detach())
        objective = (importance * losses).mean()
        self.losses.append(objective.item())
        if self.head is None:
            return objective
        read = self.head(self.network.features(x, fields))
        weight = self.config.training.parameter_head_weight
        return objective + weight * (read - params).square().mean()

    def update_average(self, step):
        """The first weights are copied; then a recursion with decay min(d, (n+1)/(n+20))."""
        decay = min(CEILING, (step + 1) / (step + 20)) if step else 0.0
        for name, value in self.network.state_dict().items():
            before = self.average.get(name, value)
            self.average[name] = (decay * before + (1 - decay) * value).clone()

    @torch.no_grad()
    def validate(self):
        """Loss of the averaged network, and error of the data by gamma, on fixed windows."""
        self.network.load_state_dict(self.average)
        windows = windows_for(
            self.normalisation, self.maps[1], window=16, batch_size=64, seed=0, stream=2**31
        )
        losses, gammas, errors = [], [], []
        for number in range(2):  # 70 windows in batches of 64
            batch = windows[number]
            generator = torch.Generator().manual_seed(step_seed(0, 1, number))
            x, fields, params = self.fields(batch)
            eps = torch.randn(x.shape, generator=generator)
            u = (torch.rand((), generator=generator) + torch.arange(64) / 64) % 1.0
            told = fields, params, torch.ones(64, 2)
            output, target = self.output_and_target(
                self.network, x, eps, self.schedule.gamma(u), *told
            )
            losses.append(((output - target).square().mean((2, 3)) * WEIGHTS / 4.0).sum(1).mean())
            low, high = self.config.diffusion.gamma_min, self.config.diffusion.gamma_max
            gamma = low + (high - low) * u  # of the bound: uniform, whatever the schedule
            output, target = self.output_and_target(self.network, x, eps, gamma, *told)
            # x_hat = alpha z - sigma v_hat
            errors.append(torch.sigmoid(gamma) * (output - target).square().mean((1, 2, 3)))
            gammas.append(gamma)
        gamma, error = torch.cat(gammas), torch.cat(errors)
        inside = [(gamma >= a) & (gamma < b) for a, b in pairwise(BIN_EDGES)]
        by_noise = [float(error[chosen].mean()) for chosen in inside]
        return float(sum(losses) / 2), dict(zip(bin_names(), by_noise, strict=True))


def assert_weights(root, kind, expected):
    found = load_file(root / "model/weights.safetensors")
    for name, tensor in expected.items():
        torch.testing.assert_close(found[f"{kind}.{name}"], tensor, rtol=1e-4, atol=2e-5)


@pytest.fixture(scope="module")
def both(maps_dir, tmp_path_factory):
    """The folder of a training, and its replay."""
    root, raw = tmp_path_factory.mktemp("by_hand"), options()
    run(maps_dir, root, **raw)
    replay = Replay(maps_dir, raw)
    replay.train()
    return root, replay


def history(root):
    with (root / "model/history.csv").open() as handle:
        return list(csv.DictReader(handle))


def column(root, name):
    return [float(row[name]) for row in history(root)]


def test_weights_follow_the_gradients_and_the_average_its_recursion(both):
    root, replay = both
    assert_weights(root, "raw", replay.network.state_dict())
    assert_weights(root, "ema", replay.average)


def test_history_holds_mean_losses_and_the_next_rate(both):
    root, replay = both
    means = [sum(replay.losses[first : first + 2]) / 2 for first in (0, 2)]
    assert column(root, "train_loss") == pytest.approx(means, rel=1e-4)
    assert column(root, "learning_rate") == pytest.approx([replay.rates[2], 0.0], abs=1e-12)
    assert column(root, "step") == [2, 4]
    assert column(root, "epoch") == [0, 1]


def test_the_averaged_network_is_validated_on_windows_of_its_own(both):
    root, replay = both
    loss, errors = replay.validate()
    assert column(root, "val_loss")[-1] == pytest.approx(loss, rel=1e-4)
    for name, error in errors.items():
        assert column(root, name)[-1] == pytest.approx(error, rel=1e-3)


def test_the_parameter_head_reads_the_clean_fields(maps_dir, tmp_path):
    raw = options(parameter_head_weight=0.5)
    run(maps_dir, tmp_path, **raw)
    replay = Replay(maps_dir, raw)
    replay.train()
    assert_weights(tmp_path, "raw", replay.network.state_dict())
