"""Slips of somebody who draws for the first time: refused, with what to write instead."""

import numpy as np
import pytest
import torch

import emulator
from emulator.io import DataError, EmulatorError
from emulator.sampling.devices import chosen_device
from emulator.sampling.reference import reference_folder


@pytest.mark.parametrize("name", ["gpu", "cuda0", 3.5])
def test_a_device_that_torch_does_not_know(name):
    with pytest.raises(EmulatorError, match="device: expected cpu, cuda or cuda:NUMBER, got"):
        chosen_device(name)


def test_a_gpu_that_is_not_there():
    beyond = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(EmulatorError, match=rf"device: expected a GPU .*got '{beyond}'.*'cpu'"):
        emulator.load(device=beyond)


def test_a_device_that_is_there():
    assert chosen_device("cpu") == torch.device("cpu")
    assert chosen_device(None).type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_folder_of_results_says_where_its_models_lie(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/seed_0").symlink_to(reference_folder(), target_is_directory=True)
    with pytest.raises(DataError, match=rf"There are some in {tmp_path}/model: name that"):
        emulator.load(tmp_path)
    with pytest.raises(DataError, match="Train one"):
        emulator.load(tmp_path / "nothing")


def test_a_policy_that_there_is_not():
    """Not taken for `warn`: parameters beyond the range would pass."""
    model, (box, params) = emulator.load(device="cpu"), emulator.example()
    with pytest.raises(EmulatorError, match="out_of_range: expected raise or warn, got 'ignore'"):
        model.sample(
            np.asarray(box), params, centres=[(40, 40)], n_members=1, out_of_range="ignore"
        )
