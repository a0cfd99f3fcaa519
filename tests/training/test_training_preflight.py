"""Before a training and around it: batches, grids, spectra of the data, and what a state is of."""

import dataclasses
import signal

import numpy as np
import pytest
import torch
from tiny import SPLITS, TINY, normalise

from emulator.config import parse_config
from emulator.data.maps import read_maps
from emulator.diffusion.spectrum import ModeStatistics
from emulator.io import DataError, EmulatorError
from emulator.model.build import build_network
from emulator.model.field_transform import FieldTransform
from emulator.training.key import state_key
from emulator.training.loaders import (
    leave_signals_to_the_parent,
    training_loader,
    training_windows,
    validation_loader,
)
from emulator.training.objectives.diffusion import DiffusionModule
from emulator.training.preflight import (
    check_noise_end,
    check_width,
    common_grid,
    measure_modes,
    require_windows,
)
from emulator.training.state import SIGNALS
from emulator.training.trainer import _origin


def parse(**sections):
    return parse_config({**TINY, **sections})


def of_training(**changes):
    return parse(training={**TINY["training"], **changes})


@pytest.fixture(scope="module")
def maps(maps_dir):
    return [read_maps(maps_dir / f"{name}.h5") for name in SPLITS["train"]]


@pytest.fixture(scope="module")
def normalisation(maps_dir):
    return normalise(maps_dir, TINY)


def build_module(config, normalisation):
    torch.manual_seed(0)
    network = build_network(config.model.network, config.diffusion, normalisation)
    return DiffusionModule(
        network, FieldTransform(normalisation), config.training, config.diffusion,
        seed=0, pixel_mpch=0.2,
    )  # fmt: skip


def test_a_batch_is_at_most_all_windows_that_do_not_overlap(maps):
    """Two simulations of three maps of 4 x 4 windows; a map below a window counts as one."""
    require_windows(of_training(batch_size=96), maps)
    with pytest.raises(EmulatorError, match="only 96 windows"):
        require_windows(of_training(batch_size=97), maps)
    small = [dataclasses.replace(m, maps=m.maps[..., :8, :8]) for m in maps]
    require_windows(of_training(batch_size=6), small)
    with pytest.raises(EmulatorError, match="only 6 windows"):
        require_windows(of_training(batch_size=7), small)


def test_maps_of_one_training_have_one_grid_to_a_millionth(maps):
    def moved(**changes):
        return dataclasses.replace(maps[1], attrs=dict(maps[1].attrs) | changes)

    grid = common_grid(maps, 16)
    assert (grid.pixel_mpch, grid.window, grid.depth_mpch, grid.redshift) == (0.2, 16, 12.8, 0.0)
    for name, value in (("pixel_mpch", 0.2), ("depth_mpch", 12.8), ("redshift", 0.0)):
        for sign in (-1e-6, 1e-6):
            common_grid([maps[0], moved(**{name: value + 0.98 * sign})], 16)
            with pytest.raises(DataError, match=f"{name} = .* as in"):
                common_grid([maps[0], moved(**{name: value + 1.03 * sign})], 16)


def test_epochs_count_on_from_the_current_step(maps, normalisation):
    config = of_training(accumulate=2)
    windows = training_windows(config, maps, normalisation, 5)
    batches = list(training_loader(config, windows, lambda: 6))
    assert len(batches) == 4  # two steps of two parts
    for number, batch in enumerate(batches):
        assert torch.equal(batch.target, windows[12 + number].target)
    assert [len(batch.target) for batch in batches] == [2] * 4


def test_processes_take_shares_of_one_batch(maps, normalisation):
    config = of_training(mass_tilt=1.5)
    whole = training_windows(config, maps, normalisation, 5)[3]
    shares = [
        training_windows(config, maps, normalisation, 5, rank=rank, world_size=2)[3]
        for rank in range(2)
    ]
    assert torch.equal(torch.cat([share.target for share in shares]), whole.target)


@pytest.mark.parametrize(("n_windows", "sizes"), [(8, [8]), (64, [64]), (65, [64, 64])])
def test_validation_windows_are_fixed_and_apart_from_those_of_training(
    maps, normalisation, n_windows, sizes
):
    config = of_training(validation_windows=n_windows)
    first, second = (list(validation_loader(config, maps, normalisation)) for _ in range(2))
    assert [len(batch.target) for batch in first] == sizes
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.target, other.target)
    training = training_windows(of_training(batch_size=sizes[0]), maps, normalisation, 0)[0]
    assert not torch.equal(first[0].target, training.target)


def test_workers_leave_signals_to_the_training():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        leave_signals_to_the_parent(0)
        assert {signal.getsignal(number) for number in SIGNALS} == {signal.SIG_IGN}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert set(SIGNALS) == {signal.SIGTERM, signal.SIGUSR1, signal.SIGINT}


@pytest.mark.parametrize("accumulate", [1, 3])
def test_spectra_are_those_of_at_least_256_windows_that_no_step_sees(
    maps, normalisation, accumulate
):
    """Batches of 60: five are enough. By numpy: power of shells, per pixel."""
    config = of_training(batch_size=60, accumulate=accumulate)
    module = build_module(config, normalisation)
    windows = training_windows(config, maps, normalisation, 0)
    found = measure_modes(windows, module)
    whole = training_windows(of_training(batch_size=60), maps, normalisation, 0)
    x = np.concatenate([module.normalise(whole[2**31 + step])[0] for step in range(5)])
    power = np.abs(np.fft.fft2(x.astype(np.float64))) ** 2 / 256
    k = np.fft.fftfreq(16, 1 / 16)
    shell = np.rint(np.hypot(*np.meshgrid(k, k))).astype(int)
    for number in range(12):
        expected = power[..., shell == number].mean((0, 2))
        np.testing.assert_allclose(found.power[:, number], expected, rtol=1e-4)


def test_too_little_noise_is_said_with_what_would_be_enough(normalisation, capfd):
    """At a correlation of r^2 = 2/3, the worst: 2 r^2 sqrt(P/3) exp(-gamma/2) is the error."""
    module = build_module(parse(), normalisation)
    power = torch.ones(3, 4, dtype=torch.float64)
    modes = ModeStatistics(power, power, torch.zeros_like(power))
    white = 4 / 3 / np.sqrt(3)
    check_noise_end(modes, module, ["a", "b", "c"])
    said = capfd.readouterr().out
    assert "gamma_max 13 is enough" in said
    assert f"at least {2 * np.log(100 * white):.1f} is needed" in said
    power[1:, 0] = np.exp(6.0)
    check_noise_end(modes, module, ["a", "b", "c"])
    said = capfd.readouterr().out
    assert f"to {6 + 2 * np.log(100 * white):.1f} for 1 %" in said
    assert " of b (power up to 403 times white noise, 403 of it unknown" in said
    assert "; c (power" in said
    assert "a (power" not in said
    assert said.count(f": up to {white * np.exp(3.0 - 6.5):.1%}") == 2


@pytest.mark.parametrize(
    ("kind", "key", "dimensions", "held"), [("unet", "widths", 3, 32), ("dit", "width", 2, 16)]
)
def test_a_network_that_is_narrower_than_a_patch_is_said(kind, key, dimensions, held, capfd):
    def network(first):
        given = {"patch": 2, "heads": 4, "groups": 4, "attention_levels": []}
        kinds = {
            "unet": {**given, "widths": [first, 64]},
            "dit": {"kind": "dit", "patch": 2, "width": first, "heads": 4},
        }
        return parse(model={**TINY["model"], "network": kinds[kind]}).model.network

    check_width(network(held), 4, dimensions)
    assert capfd.readouterr().out == ""
    check_width(network(held - 4), 4, dimensions)
    said = capfd.readouterr().out
    assert f"holds {held} values (4 channels x 2^{dimensions} pixels)" in said
    assert f"the first features of the network are {held - 4}" in said
    assert f"Raise model.network.{key} to at least {held}," in said


def test_a_state_belongs_to_all_that_decides_a_weight(normalisation):
    def key(config=None, normalisation=normalisation, splits=SPLITS, seed=0):
        return state_key(config or parse(), normalisation, splits, seed)

    assert len(key()) == 12
    same = [
        of_training(seeds=[0, 1]), of_training(cache="none"), of_training(loader_workers=2),
        of_training(tensorboard=True), of_training(ensemble_every=1), of_training(threads=1),
        parse(name="other"), parse(sampling={"n_steps": 3}),
    ]  # fmt: skip
    assert {key(config) for config in same} == {key()}
    other = normalisation.model_copy(update={"target_mean": (0.0,) * 4})
    different = [
        key(of_training(max_steps=10)), key(of_training(learning_rate=1e-4)),
        key(parse(diffusion={"gamma_max": 12.0})), key(parse(data={**TINY["data"], "window": 8})),
        key(seed=1), key(normalisation=other), key(splits={**SPLITS, "train": ["SB_0"]}),
        key(splits={**SPLITS, "validation": ["SB_3"]}),
    ]  # fmt: skip
    assert len({key(), *different}) == 9
    assert key(splits={**SPLITS, "test": []}) == key()


def test_suites_and_notices_of_the_maps_are_kept_once_each(maps):
    def said(text, suite="S"):
        return dataclasses.replace(maps[0], attrs={"suite": suite, "notice": text})

    silent = dataclasses.replace(maps[0], attrs={})
    assert set(_origin([silent])) <= {"commit"}
    found = _origin([said("b"), said("a"), said("b", "R"), silent])
    assert (found["suite"], found["notice"]) == ("R; S", "a; b")
