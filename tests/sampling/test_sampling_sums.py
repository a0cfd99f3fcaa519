"""Known masses of windows: held exactly, by one factor, and by none where they are held already."""

import json

import numpy as np
import pytest
import torch
from untrained import PARAMS, build_emulator

from emulator.config import SamplingConfig
from emulator.fields import TARGETS, find_fields
from emulator.io import EmulatorError
from emulator.sampling.mixture import Mixture
from emulator.sampling.sums import check_sums, hold_sums

CENTRES = [(8, 8), (40, 3)]
FEW = SamplingConfig(n_steps=3)
FIELDS = find_fields(TARGETS)


def draw(model, box, **options):
    return model.sample(box, PARAMS, centres=CENTRES, n_members=3, sampling=FEW, **options)


def masses(drawn):
    return drawn["fields"].astype(float).sum(("y", "x"))


@pytest.fixture(scope="module")
def plain(emulator, box):
    return draw(emulator, box)


@pytest.mark.parametrize("several", [False, True])
def test_the_total_is_held_by_one_factor(emulator, folder, box, several):
    model = Mixture({"a": emulator, "b": build_emulator(folder, seed=1)}) if several else emulator
    free = draw(model, box)
    wanted = masses(free).sum("channel").mean("member").values * [1.1, 0.9]
    held = draw(model, box, constraints={"total": wanted})
    expected = np.broadcast_to(wanted[:, None], (2, 3))
    np.testing.assert_allclose(masses(held).sum("channel"), expected, rtol=1e-7)
    factor = held["sum_factor"].sel(sum="total")
    np.testing.assert_allclose(held["fields"], free["fields"] * factor, rtol=1e-6)
    np.testing.assert_allclose(factor * masses(free).sum("channel"), expected, rtol=1e-12)
    assert json.loads(held.attrs["constraints"]) == {"total": wanted.tolist()}
    assert (held["fields"] == 0).equals(free["fields"] == 0)


def test_members_that_hold_the_sum_stay(emulator, box, plain):
    one = plain.isel(member=[1])
    wanted = masses(one).sum(("channel", "member")).values
    held = draw(emulator, box, constraints={"total": wanted})
    np.testing.assert_allclose(
        held["fields"].isel(member=1), plain["fields"].isel(member=1), rtol=1e-7
    )
    others = np.log(held["sum_factor"]).isel(member=[0, 2])
    assert (np.abs(others) > 1e-4).all()


def test_members_keep_their_spread(emulator, box, plain):
    """Of pixels about the mass of their window, whose spread goes: nothing else changes."""
    wanted = masses(plain).sum("channel").mean("member").values
    held = draw(emulator, box, constraints={"total": wanted})
    relative = [d["fields"] / masses(d).sum("channel") for d in (plain, held)]
    np.testing.assert_allclose(relative[1].std("member"), relative[0].std("member"), rtol=1e-4)
    ratio = held["fields"].std("member").mean() / plain["fields"].std("member").mean()
    assert 0.5 < float(ratio) < 1.1


def test_a_total_is_left_to_the_fields_without_a_sum(emulator, box, plain):
    gas = 1.2 * masses(plain).sel(channel="gas").mean("member").values
    total = 1.1 * masses(plain).sum("channel").mean("member").values
    held = masses(draw(emulator, box, constraints={"total": total, "gas": gas}))
    np.testing.assert_allclose(held.sum("channel"), np.tile(total[:, None], 3), rtol=1e-7)
    np.testing.assert_allclose(held.sel(channel="gas"), np.tile(gas[:, None], 3), rtol=1e-7)
    ratios = [m.sel(channel="stars") / m.sel(channel="dm_hydro") for m in (masses(plain), held)]
    np.testing.assert_allclose(*ratios, rtol=1e-6)


def test_a_box_holds_its_sum(emulator, box):
    free = emulator.paint(box, PARAMS, n_members=2, sampling=FEW)
    total = 1.02 * float(masses(free).sum("channel").mean())
    held = emulator.paint(box, PARAMS, n_members=2, sampling=FEW, constraints={"total": total})
    np.testing.assert_allclose(masses(held).sum("channel"), total, rtol=1e-7)
    assert held["sum_factor"].dims == ("sum", "member")
    assert held.drop_vars(["fields", "sum_factor", "sum"]).sizes == free.drop_vars("fields").sizes


def test_the_projection_is_the_nearest_field_of_the_sum():
    """No other field of that sum has a smaller divergence from the member."""
    generator = np.random.default_rng(3)
    x = torch.from_numpy(generator.lognormal(size=(1, 1, 3, 4, 4)))
    wanted = 1.3 * float(x.sum())
    projected, _ = hold_sums(x, {"total": np.array([wanted])}, FIELDS)

    def divergence(other):
        return float((other * (other / x).log() - other + x).sum())

    least = divergence(projected)
    for _ in range(20):
        move = torch.from_numpy(generator.normal(size=x.shape))
        other = projected * (0.1 * move).exp()
        other = other * wanted / other.sum()
        assert divergence(other) > least


def test_gradients_go_through_the_projection(emulator, box):
    """The gradient of a sum that is held is zero."""
    params = torch.tensor([0.3, 0.3], requires_grad=True)
    drawn = emulator.sample(
        box, params, centres=CENTRES, n_members=1, sampling=FEW, differentiable=True,
        constraints={"total": 3e12},
    )  # fmt: skip
    (held,) = torch.autograd.grad(drawn.double().sum(), params, retain_graph=True)
    (gas,) = torch.autograd.grad(drawn[:, :, 1].double().sum(), params)
    assert float(held.abs().max()) < 1e-4 * float(gas.abs().max())


@pytest.mark.parametrize(
    ("constraints", "said"),
    [
        ({"dust": 1e12}, "masses in Msun/h of total, dm_hydro, gas, stars, got one of dust"),
        (1e12, "expected a mapping"),
        ({"total": [1e12] * 3}, r"one number or 2, .*got shape \(3,\)"),
        ({"total": -1e12}, "positive mass, got -1e+12"),
        ({"total": np.nan}, "positive mass"),
        ({"total": "much"}, "real numbers"),
        ({"total": 1e12, "dm_hydro": 1e12}, "larger than the sum of dm_hydro"),
        (dict.fromkeys(("total", *TARGETS), 1000000000000.0), "beside all its parts"),
    ],
)
def test_sums_that_cannot_be_are_refused(constraints, said):
    with pytest.raises(EmulatorError, match=said.replace("+", r"\+")):
        check_sums(constraints, FIELDS, 2)


def test_sums_in_another_unit_are_refused(emulator, box, plain):
    total = masses(plain).sum("channel").mean("member").values
    with pytest.raises(EmulatorError, match=r"total: members would be scaled by .*is the sum in"):
        draw(emulator, box, constraints={"total": total / 1e10})
    with pytest.warns(UserWarning, match="members would be scaled"):
        draw(emulator, box, constraints={"total": total / 20}, out_of_range="warn")


def test_a_member_without_mass_cannot_be_scaled():
    members = torch.ones(1, 2, 3, 2, 2)
    members[0, 1, 2] = 0.0
    with pytest.raises(EmulatorError, match="stars: member 1 of sample 0 holds no mass"):
        hold_sums(members, {"stars": np.array([4.0])}, FIELDS)


def test_known_values_are_not_scaled(emulator, box):
    with pytest.raises(EmulatorError, match="constraints: members cannot go through observed"):
        draw(emulator, box, constraints={"total": 1e12}, observed=np.full((2, 3, 16, 16), np.nan))
