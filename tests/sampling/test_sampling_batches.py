"""Batches of `auto`: as many rows as fit, the same members, and one word about it."""

import json

import numpy as np
import pytest
import torch
from untrained import PARAMS, build_emulator

from emulator.config import SamplingConfig
from emulator.io import EmulatorError
from emulator.sampling.batches import MOST, Batches, free_memory

CENTRES = [(8, 8), (40, 3), (63, 31)]
AUTO = SamplingConfig(n_steps=3, batch_size="auto")


class Narrow(torch.nn.Module):
    """A network on a device that has room for so many rows."""

    def __init__(self, network, room):
        super().__init__()
        self.network, self.room, self.seen = network, room, []

    def forward(self, z, *given):
        self.seen.append(len(z))
        if len(z) > self.room:
            raise torch.OutOfMemoryError("out of memory")
        return self.network(z, *given)


def narrow(folder, room):
    model = build_emulator(folder)
    model.network = Narrow(model.network, room)
    return model


def draw(model, box, sampling=AUTO, **options):
    return model.sample(box, PARAMS, centres=CENTRES, n_members=7, sampling=sampling, **options)


@pytest.mark.parametrize("differentiable", [False, True])
def test_batches_are_halved_until_they_fit_and_members_stay(
    emulator, folder, box, capfd, differentiable
):
    model = narrow(folder, 6)
    found = draw(model, box, differentiable=differentiable)
    expected = draw(emulator, box, AUTO.model_copy(update={"batch_size": 21}))["fields"]
    values = found.numpy() if differentiable else found["fields"].values
    np.testing.assert_allclose(values, expected, rtol=1e-4)
    # one row is measured, the 20 that are left do not fit, nor do 10
    assert capfd.readouterr().err == (
        "sample: batches of 20 do not fit into memory, so they hold 5\n"
    )
    assert model.network.seen[3:6] == [20, 10, 5]
    again = draw(model, box, differentiable=differentiable)
    assert capfd.readouterr().err == ""
    again = again.numpy() if differentiable else again["fields"].values
    np.testing.assert_allclose(again, expected, rtol=1e-4)
    assert set(model.network.seen[6:]) == {5, 1}


def test_the_size_that_was_used_is_recorded(folder, box):
    drawn = draw(narrow(folder, 6), box)
    assert json.loads(drawn.attrs["sampling"])["batch_size"] == 5


def test_a_box_is_painted_in_batches_that_fit(emulator, folder, box, capfd):
    options = {"sampling": AUTO.model_copy(update={"n_steps": 2})}
    painted = narrow(folder, 9).paint(box, PARAMS, **options)
    np.testing.assert_allclose(
        painted["fields"], emulator.paint(box, PARAMS, **options)["fields"], rtol=1e-4
    )
    assert "batches of 63 do not fit" in capfd.readouterr().err


def test_without_auto_a_batch_that_does_not_fit_is_an_error(folder, box):
    with pytest.raises(EmulatorError, match=r"batch_size: .* for batches of 21 .*set it to auto"):
        draw(narrow(folder, 6), box, AUTO.model_copy(update={"batch_size": 64}))
    with pytest.raises(EmulatorError, match=r"batches of 1 .*a device with more"):
        draw(narrow(folder, 0), box)


def rows(size):
    return torch.ones(len(size), 4)


@pytest.mark.parametrize(("free", "expected"), [(0, 1), (2 * 5 * 44, 5), (10**12, MOST)])
def test_on_a_cpu_half_of_the_free_memory_is_filled(free, expected):
    """A row of this network returns 8 + 2 + 1 numbers of 4 bytes."""
    network = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.Linear(8, 2), torch.nn.Linear(2, 1)
    )
    batches = Batches("auto", network, free=lambda: free)
    sizes = [len(part) for part, _ in batches.over(range(300), lambda part: network(rows(part)))]
    assert sizes[:2] == [1, expected]
    assert sum(sizes) == 300


def test_a_second_evaluation_fills_the_same_memory():
    network = torch.nn.Sequential(torch.nn.Linear(4, 8))
    batches = Batches("auto", network, free=lambda: 2 * 7 * 32)
    list(batches.over(range(2), lambda part: [network(rows(part)) for _ in range(3)]))
    assert batches.size == 7


def test_some_memory_is_free():
    assert 2**20 < free_memory() < 2**50


@pytest.mark.parametrize("wrong", [0, -1, "many", 2.5])
def test_other_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match="batch_size"):
        SamplingConfig(batch_size=wrong)
