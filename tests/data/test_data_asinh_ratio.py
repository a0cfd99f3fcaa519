"""The transform asinh_ratio: closed forms, its inverse, its fitted width, what it refuses."""

import math

import fabricated
import numpy as np
import pytest
import torch
from fitted import fit

from emulator.config import ChannelConfig, ConfigError, ModelConfig, parse_config
from emulator.data.condition import Condition
from emulator.data.maps import read_maps
from emulator.fields import FIELDS, Field
from emulator.io import DataError
from emulator.model.field_transform import FieldTransform
from emulator.model.normalisation import Normalisation
from emulator.model.transforms import AsinhRatio

FLOOR = 1.0e8


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    path = tmp_path_factory.mktemp("maps")
    for simulation in fabricated.simulations(n_train=2, n_cv=0):
        fabricated.write_maps(path, simulation)
    return sorted(path.glob("*.h5"))


def normalisation_of(paths, **options):
    channels = (
        ChannelConfig(name="dm_hydro"),
        ChannelConfig(name="gas", transform="asinh_ratio", **options),
    )
    return fit(paths, ModelConfig(channels=channels, params=("Omega_m", "A_SN1")), ())


def ratios(paths):
    """Gas over its cosmic share, less one; all pixels of all maps."""
    parts = []
    for path in paths:
        maps = read_maps(path)
        dmo, gas = maps.select(["dmo", "gas"]).astype(float).swapaxes(0, 1)
        share = maps.attrs["omega_b"] / maps.attrs["omega_m"]
        parts.append((gas + FLOOR) / (share * dmo + FLOOR) - 1)
    return np.concatenate(parts)


def test_it_is_asinh_of_the_departure_in_units_of_the_width():
    reference = torch.tensor([3.0, 3.0, 3.0, 3.0, 7.0]).double()  # of which 2 are the floor
    x = torch.tensor([1.0, 4.0, 0.0, 301.0, 5.0]).double()
    (feature,) = AsinhRatio(0.5).forward(x, reference, 2.0)
    exact = [0.0, math.asinh(2.0), math.asinh(-2 / 3), math.asinh(200.0), 0.0]
    assert feature.values.tolist() == pytest.approx(exact, abs=1e-12)
    assert feature.defined.all()
    # far beyond the width it is a logarithm of twice the ratio over it
    assert float(feature.values[3]) == pytest.approx(math.log(2 * 200.0), abs=1e-5)


@pytest.mark.parametrize("width", [0.03, 1.0, 20.0])
def test_inverse_undoes_transform_and_masses_are_never_negative(width):
    generator = torch.Generator().manual_seed(0)
    dmo = torch.rand(1000, generator=generator).double() * 1e11
    x = dmo * torch.exp(3 * torch.randn(1000, generator=generator).double())
    x[:10] = 0.0
    transform = AsinhRatio(width)
    features = [feature.values for feature in transform.forward(x, dmo + FLOOR, FLOOR)]
    back = transform.inverse(features, dmo + FLOOR, FLOOR)
    torch.testing.assert_close(back, x, rtol=1e-9, atol=1e-3)
    # any output of a network is a mass
    wild = transform.inverse([5 * torch.randn(1000).double()], dmo + FLOOR, FLOOR)
    assert (wild >= 0).all()
    assert (wild == 0).any()


def test_an_error_is_one_of_the_ratio_that_never_vanishes():
    """d(ratio)/du = sqrt(w^2 + r^2), by automatic differentiation of the inverse."""
    w = 0.4
    r = torch.tensor([-0.99, -0.3, 0.0, 2.0, 50.0]).double()
    u = torch.asinh(r / w).requires_grad_()
    AsinhRatio(w).inverse([u], torch.ones_like(u), 1e-3).sum().backward()
    torch.testing.assert_close(u.grad, (w**2 + r**2).sqrt())


def test_the_width_is_the_standard_deviation_of_the_training_split(paths):
    normalisation = normalisation_of(paths)
    width = normalisation.channels[1].linear_width
    assert width == pytest.approx(ratios(paths).std(), rel=1e-6)
    assert normalisation.channels[0].linear_width is None
    u = np.arcsinh(ratios(paths) / width)
    assert normalisation.target_mean[1] == pytest.approx(u.mean(), rel=1e-6)
    assert normalisation.target_std[1] == pytest.approx(u.std(), rel=1e-6)


def test_a_width_that_is_given_stays_and_counts(paths):
    normalisation = normalisation_of(paths, linear_width=0.1)
    assert normalisation.channels[1].linear_width == 0.1
    u = np.arcsinh(ratios(paths) / 0.1)
    assert normalisation.target_std[1] == pytest.approx(u.std(), rel=1e-6)
    maps = read_maps(paths[0])
    fields = torch.from_numpy(maps.select(["dmo", "dm_hydro", "gas"])).double()
    params = torch.tensor([[maps.params["Omega_m"], maps.params["A_SN1"]]] * 3).double()
    condition = Condition(fields[:, 0], fields[:, :0], params)
    transform = FieldTransform(normalisation)
    z = transform.transform(fields[:, 1:], condition)
    mean, std = normalisation.target_mean[1], normalisation.target_std[1]
    share = fabricated.OMEGA_B / maps.params["Omega_m"]
    here = (fields[:, 2] + FLOOR) / (share * fields[:, 0] + FLOOR) - 1
    torch.testing.assert_close(z[:, 1], (torch.asinh(here / 0.1) - mean) / std)
    back = transform.inverse_transform(z, condition)
    torch.testing.assert_close(back, fields[:, 1:], rtol=1e-9, atol=1e-3)


def test_statistics_without_a_width_are_refused(paths):
    value = normalisation_of(paths).model_dump(mode="json")
    assert Normalisation.parse(value, "n.json").channels[1].linear_width > 0
    value["channels"][1]["linear_width"] = None
    with pytest.raises(DataError, match=r"n\.json.*asinh_ratio needs its linear_width"):
        Normalisation.parse(value, "n.json")


def test_it_needs_a_mass_with_a_share():
    with pytest.raises(ValueError, match="relative to a share of the matter"):
        Field(name="metals", label="metals", particles=("gas",), transform="asinh_ratio")
    signed = {**FIELDS["gas"].model_dump(), "signed": True, "transform": "asinh_ratio"}
    with pytest.raises(ValueError, match="gas is signed; use asinh or identity"):
        Field(**signed)


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ({"name": "gas", "linear_width": 0.1}, "linear_width is an option of transform asinh_r"),
        ({"name": "gas", "occupancy": "z_score"}, "occupancy is an option of transform hurdle"),
        (
            {"name": "stars", "transform": "log_ratio", "empty_amplitude": "noise"},
            "empty_amplitude is an option of transform hurdle, and stars has log_ratio",
        ),
        ({"name": "gas", "transform": "asinh_ratio", "linear_width": 0.0}, "linear_width"),
        ({"name": "stars", "occupancy": "bits"}, "occupancy"),
        ({"name": "stars", "empty_amplitude": "none"}, "empty_amplitude"),
    ],
)
def test_options_of_another_transform_and_unknown_values_are_refused(channel, words):
    with pytest.raises(ConfigError, match=words):
        parse_config({"name": "a", "model": {"channels": [channel]}})
