"""Masses that leave a model: none is larger than all matter of the widest window around it."""

import numpy as np
import pytest
import torch

from emulator.data.condition import Condition
from emulator.fields import find_fields
from emulator.io import EmulatorError
from emulator.sampling.possible import require_possible

SIDE, FIELDS = 4, find_fields(["dm_hydro", "gas"])


def require(masses, *, condition=1.0, levels=(2.0, 3.0), factors=(2, 4)):
    """Two samples of constant masses; the second holds a hundred times more."""
    scale = np.array([1.0, 100.0])[:, None, None]
    fields = condition * scale * np.ones((2, SIDE, SIDE))
    context = np.stack([level * scale * np.ones((2, SIDE, SIDE)) for level in levels], 1) \
        if levels else np.empty((2, 0, SIDE, SIDE))  # fmt: skip
    arrays = fields[[1, 0]], context[[1, 0]], np.zeros((2, 0))
    condition = Condition(*map(torch.from_numpy, arrays))
    require_possible(masses, condition, [(1, 5), (0, 7)], FIELDS, factors)


def drawn(largest, *, row, field=1):
    masses = np.full((2, 2, SIDE, SIDE), 0.5)
    masses[row, field, 1, 2] = largest
    return masses


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({}, 4**2 * 3.0 * SIDE**2),  # of the widest level, in fine pixels
        ({"levels": (100.0, 3.0)}, 4**2 * 3.0 * SIDE**2),
        ({"condition": 100.0}, 100.0 * SIDE**2),  # a window that holds more than its context
        ({"levels": (), "factors": ()}, SIDE**2),
    ],
)
@pytest.mark.parametrize(("row", "scale", "who"), [(0, 100.0, "1 member 5"), (1, 1.0, "0 member")])
def test_a_pixel_holds_at_most_what_is_around_it(options, most, row, scale, who):
    require(drawn(scale * most, row=row), **options)
    with pytest.raises(EmulatorError, match=rf"cannot be: .*sample {who}.*\(gas\)"):
        require(drawn(1.001 * scale * most, row=row), **options)


@pytest.mark.parametrize("fault", [np.nan, np.inf, -1e-3])
def test_what_is_no_mass_is_refused(fault):
    require(drawn(0.0, row=1))
    with pytest.raises(EmulatorError, match=r"in sample 0 member 7 \(dm_hydro\)\. The"):
        require(drawn(fault, row=1, field=0))


def test_the_first_of_many_gives_the_number_and_five_are_listed():
    masses = np.full((2, 2, SIDE, SIDE), 1e5)
    masses[0, 1] = 2e5
    masses[1] = 3e5
    with pytest.raises(EmulatorError, match=r"to 1e\+05 Msun/h .* is 7\.68e\+04") as error:
        require(masses)
    assert str(error.value).count("member") == 4
    assert "in all" not in str(error.value)
