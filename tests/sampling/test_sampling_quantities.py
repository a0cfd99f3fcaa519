"""Quantities of astropy: converted where h is known or drops out, and refused with a reason."""

import astropy.cosmology.units as cu
import astropy.units as u
import fabricated
import numpy as np
import pytest
from untrained import PARAMS, build_emulator

from emulator.config import SamplingConfig
from emulator.io import EmulatorError
from emulator.sampling.given.quantities import convert

FEW = SamplingConfig(n_steps=2)
CENTRES = [(8, 8), (40, 3)]
PER_H = u.Msun / cu.littleh


@pytest.fixture(scope="module")
def knows_h(folder):
    """A model whose second parameter is h."""
    model = build_emulator(folder)
    card, scales = model.card, model.card.normalisation.params
    named = {"Omega_m": scales["Omega_m"], "h": scales["A_SN1"]}
    normalisation = card.normalisation.model_copy(update={"params": named})
    model.card = card.model_copy(update={"normalisation": normalisation})
    return model


def condition_of(model, condition, params=PARAMS, **places):
    return model.sample(
        condition, params, n_members=1, sampling=FEW, **(places or {"centres": CENTRES})
    )["condition"].values


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        (PER_H, 1.0),
        (1e10 * PER_H, 1e10),
        (PER_H / u.pix, 1.0),
        (u.kg / cu.littleh, u.kg.to("Msun")),
    ],
)
def test_masses_over_h_need_no_h(emulator, box, unit, factor):
    found = condition_of(emulator, (box.astype(float) / factor) * unit)
    np.testing.assert_allclose(found, condition_of(emulator, box), rtol=1e-6)


@pytest.mark.parametrize("h", [0.5, 0.7])
def test_masses_without_h_are_multiplied_by_that_of_the_parameters(knows_h, box, h):
    params = {"Omega_m": 0.3, "h": h}
    found = condition_of(knows_h, box.astype(float) / h * u.Msun, params)
    np.testing.assert_allclose(found, condition_of(knows_h, box, params), rtol=1e-6)


def test_each_sample_has_its_own_h(knows_h, box):
    params = [{"Omega_m": 0.3, "h": h} for h in (0.5, 0.8)]
    drawn = knows_h.sample(box, params, centres=CENTRES, n_members=1, sampling=FEW)
    h = np.array([0.5, 0.8])[:, None, None]
    given = {name: drawn[name].values.astype(float) for name in ("condition", "large_scale")}
    found = knows_h.sample(
        given["condition"] / h * u.Msun, params, n_members=1, sampling=FEW,
        large_scale=given["large_scale"] / h[..., None] * u.Msun,
    )  # fmt: skip
    np.testing.assert_allclose(found["condition"], given["condition"], rtol=1e-6)
    np.testing.assert_allclose(found["large_scale"], given["large_scale"], rtol=1e-6)
    with pytest.raises(EmulatorError, match=r"one array in solMass for samples of different h"):
        condition_of(knows_h, box * u.Msun, params)


@pytest.mark.parametrize(
    ("unit", "reason"),
    [
        (u.Msun, r"Msun/h is needed and h is not known.*u\.Msun / cu\.littleh"),
        (u.Msun / u.Mpc**2, "expected a mass per pixel"),
        (u.K, "expected a mass per pixel"),
        (u.Msun * u.pix, "expected a mass per pixel"),
    ],
)
def test_what_is_no_mass_or_needs_an_unknown_h_is_refused(emulator, box, unit, reason):
    with pytest.raises(EmulatorError, match=rf"condition: .*{reason}"):
        condition_of(emulator, box * unit)


def test_an_unknown_h_is_not_assumed(knows_h):
    with pytest.raises(EmulatorError, match="h is not known"):
        convert(np.ones((4, 4)) * u.Msun, "Msun", "condition", None)


@pytest.mark.parametrize("name", ["centres", "centres_mpch"])
@pytest.mark.parametrize("unit", [u.Mpc / cu.littleh, u.kpc / cu.littleh])
def test_lengths_are_positions(emulator, box, name, unit):
    positions = np.add(CENTRES, 0.5) * fabricated.PIXEL * u.Mpc / cu.littleh
    found = condition_of(emulator, box, **{name: positions.to(unit)})
    np.testing.assert_array_equal(found, condition_of(emulator, box))


def test_lengths_without_h_need_one(emulator, knows_h, box):
    params = {"Omega_m": 0.3, "h": 0.5}
    positions = np.add(CENTRES, 0.5) * fabricated.PIXEL * u.Mpc
    found = condition_of(knows_h, box, params, centres=positions / 0.5)
    np.testing.assert_array_equal(found, condition_of(knows_h, box, params))
    with pytest.raises(EmulatorError, match=r"centres: .*Mpc/h is needed and h is not known"):
        condition_of(emulator, box, centres=positions)
    with pytest.raises(EmulatorError, match="centres: expected a comoving length"):
        condition_of(emulator, box, centres=np.ones((1, 2)) * u.s)


def test_parameters_have_no_unit(emulator, box):
    bare = condition_of(emulator, box)
    for params in (
        {name: value * u.dimensionless_unscaled for name, value in PARAMS.items()},
        {name: 100 * value * u.percent for name, value in PARAMS.items()},
        list(PARAMS.values()) * u.dimensionless_unscaled,
    ):
        np.testing.assert_array_equal(condition_of(emulator, box, params), bare)
    with pytest.raises(EmulatorError, match="A_SN1: expected no unit, got km / s"):
        condition_of(emulator, box, PARAMS | {"A_SN1": 1 * u.km / u.s})


def test_elsewhere_a_unit_is_refused_and_not_dropped(emulator, box):
    for call in (
        lambda: emulator.paint(box * PER_H, PARAMS),
        lambda: condition_of(
            emulator, box, centres=CENTRES, observed=np.ones((2, 3, 16, 16)) * PER_H
        ),
    ):
        with pytest.raises(EmulatorError, match=r"quantity with the unit solMass / littleh"):
            call()
