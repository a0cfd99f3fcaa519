"""What a training asks of the machine, leaves in its folder, prints, and never touches."""

import json
import os

import pytest
import torch
from tiny import SPLITS, TINY, normalise, run

from emulator.config import parse_config
from emulator.config.training import TrainingConfig
from emulator.io import EmulatorError
from emulator.model.build import build_network
from emulator.model.field_transform import FieldTransform
from emulator.training import trainer as trainer_module
from emulator.training.ema import build_ema
from emulator.training.objectives.diffusion import DiffusionModule
from emulator.training.preflight import require_hardware

SHORT = {**TINY["training"], "max_steps": 4, "precision": "32"}


@pytest.fixture
def gpus(monkeypatch):
    """A machine with so many GPUs; the precision of products is put back."""
    before = torch.get_float32_matmul_precision()

    def machine(count, *, bfloat16=True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bfloat16)
        torch.set_float32_matmul_precision("highest")

    yield machine
    torch.set_float32_matmul_precision(before)


def requirements(**options):
    """The fault of a config on this machine, or the precision of products that it sets."""
    try:
        require_hardware(TrainingConfig(batch_size=64, **options))
    except EmulatorError as error:
        return str(error)
    return torch.get_float32_matmul_precision()


def test_a_machine_without_gpus_trains_on_its_processor(gpus):
    gpus(0)
    assert requirements(accelerator="auto", devices=4) == "highest"
    assert requirements(accelerator="cpu") == "highest"
    assert "no GPU is visible" in requirements(accelerator="gpu")


@pytest.mark.parametrize("accelerator", ["auto", "gpu"])
def test_gpus_are_counted_and_asked_for_bfloat16(gpus, accelerator):
    gpus(2)
    assert requirements(accelerator=accelerator, devices=2) == "high"
    gpus(1)
    assert requirements(accelerator=accelerator) == "high"
    assert "devices is 2, but 1 GPUs" in requirements(accelerator=accelerator, devices=2)
    gpus(1, bfloat16=False)
    assert "no bfloat16" in requirements(accelerator=accelerator)
    assert requirements(accelerator=accelerator, precision="32") == "high"


def test_a_processor_is_not_asked_what_a_gpu_can(gpus):
    gpus(1, bfloat16=False)
    assert requirements(accelerator="cpu", devices=4) == "highest"


def test_nothing_is_left_behind_and_nothing_else_is_said(maps_dir, tmp_path, monkeypatch, capfd):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    validated, original = [], DiffusionModule.validation_step

    def counted(self, batch, batch_idx):
        validated.append(self.global_step)
        return original(self, batch, batch_idx)

    monkeypatch.setattr(DiffusionModule, "validation_step", counted)
    run(maps_dir, tmp_path / "root", training=SHORT)
    assert validated == [2, 4]  # once an epoch, and not before
    assert list(here.iterdir()) == []
    assert sorted(os.listdir(tmp_path / "root")) == ["model", "state"]
    assert sorted(os.listdir(tmp_path / "root/model")) == [
        "history.csv", "model.json", "weights.safetensors",
    ]  # fmt: skip
    said = capfd.readouterr()
    assert all(line.startswith("train: ") for line in said.out.splitlines())
    assert [line for line in said.err.splitlines() if "train: 4/4" in line]


@pytest.mark.parametrize(("cache", "lazy"), [("memory", False), ("none", True)])
def test_maps_are_held_in_memory_or_left_on_disk(maps_dir, tmp_path, monkeypatch, cache, lazy):
    original, asked = trainer_module.read_maps, []

    def recorded(path, **options):
        asked.append(options["lazy"])
        return original(path, **options)

    monkeypatch.setattr(trainer_module, "read_maps", recorded)
    run(maps_dir, tmp_path, training={**SHORT, "max_steps": 2, "cache": cache})
    assert asked == [lazy] * 3


def test_threads_are_those_of_the_config_and_are_recorded(maps_dir, tmp_path):
    before = torch.get_num_threads()
    try:
        run(maps_dir, tmp_path, training={**SHORT, "max_steps": 2, "threads": before + 1})
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
    card = json.loads((tmp_path / "model/model.json").read_text())
    facts = json.loads(card["attributes"]["provenance"])
    assert facts["threads"] == before + 1
    assert facts["splits"] == SPLITS
    assert card["training"]["seed"] == 0
    assert "seeds" not in card["training"]


def test_an_ensemble_is_drawn_every_third_epoch(maps_dir, tmp_path):
    run(maps_dir, tmp_path, training={**SHORT, "max_steps": 8, "ensemble_every": 3})
    header, *rows = (tmp_path / "model/history.csv").read_text().splitlines()
    place = header.split(",").index("val_power_error_gas")
    assert [bool(row.split(",")[place]) for row in rows] == [False, False, True, False]


def build_module(maps_dir, **training):
    config = parse_config({**TINY, "training": {**SHORT, **training}})
    normalisation = normalise(maps_dir, TINY)
    network = build_network(config.model.network, config.diffusion, normalisation)
    return DiffusionModule(
        network, FieldTransform(normalisation), config.training, config.diffusion,
        seed=0, pixel_mpch=0.2,
    )  # fmt: skip


def test_the_rate_rises_to_its_peak_and_stays(maps_dir):
    module = build_module(maps_dir, warmup_steps=3, decay="constant", learning_rate=0.5)
    made = module.configure_optimizers()
    (factor, _) = made["lr_scheduler"]["scheduler"].lr_lambdas
    assert [factor(s) for s in (0, 1, 2, 3, 100)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert made["lr_scheduler"]["interval"] == "step"
    groups = made["optimizer"].param_groups
    assert [group["weight_decay"] for group in groups] == [0.01, 0.0]
    assert [{p.ndim > 1 for p in group["params"]} for group in groups] == [{True}, {False}]
    assert sum(len(g["params"]) for g in groups) == len(list(module.network.parameters()))


def test_a_head_is_there_only_if_it_weighs_something(maps_dir):
    assert build_module(maps_dir).head is None
    assert build_module(maps_dir, parameter_head_weight=1e-3).head is not None


def test_the_average_is_never_trained():
    layer = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout())
    average = build_ema(layer, 0.9)
    assert not any(p.requires_grad for p in average.parameters())
    assert not average.training
    assert all(p.requires_grad for p in layer.parameters())
