"""The transform quantile: closed forms, its knots and inverse, its fit, and what it refuses."""

import numpy as np
import pytest
import torch
from arrays import run_stages, small, write, write_small
from scipy.special import ndtri

from emulator.config import ConfigError, parse_config
from emulator.config.channels import Channel
from emulator.fields import FIELDS, Field, require_transform
from emulator.io import DataError, EmulatorError
from emulator.model.normalisation import Normalisation
from emulator.model.quantile import Quantile, fit_quantiles

DRAWN = {"name": "drawn", "label": "drawn", "unit": "1", "transform": "quantile"}


def scores_of(knots, x, **options):
    return Quantile(knots, **options).forward(torch.as_tensor(x), None, 1.0)[0].values


def test_lines_between_the_knots_go_on_beyond_them():
    knots = ((-2.0, -1.0), (0.0, 0.0), (1.0, 2.0))
    x = torch.tensor([-4.0, -2.0, -1.0, 0.0, 0.25, 1.0, 3.0]).double()
    # beyond: the mean slope, 3 / 3
    expected = torch.tensor([-3.0, -1.0, -0.5, 0.0, 0.5, 2.0, 4.0]).double()
    torch.testing.assert_close(scores_of(knots, x), expected, rtol=0, atol=0)
    back = Quantile(knots).inverse([expected], None, 1.0)
    torch.testing.assert_close(back, x, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_exact_on_its_knots_and_inverts_everywhere(dtype, seed):
    rng = np.random.default_rng(seed)
    knots = fit_quantiles(rng.standard_cauchy(5000) ** 3, "wild")
    values, scores = (torch.tensor(row, dtype=dtype) for row in zip(*knots, strict=True))
    assert torch.equal(scores_of(knots, values), scores)
    assert torch.equal(Quantile(knots).inverse([scores], None, 1.0), values)
    u = torch.linspace(-8, 8, 2001, dtype=dtype)
    x = Quantile(knots).inverse([u], None, 1.0)
    assert (x.diff() > 0).all()
    tolerance = 1e-9 if dtype is torch.float64 else 1e-2
    torch.testing.assert_close(scores_of(knots, x), u, rtol=tolerance, atol=tolerance)


def test_known_distributions_become_a_standard_normal():
    """Lognormal, exponential and uniform values: the score is that of their probability."""
    n = 200_000
    p = (np.arange(n) + 0.5) / n
    for values, name in ((np.exp(ndtri(p)), "lognormal"), (-np.log1p(-p), "exp"), (p - 3, "flat")):
        found = scores_of(fit_quantiles(values.reshape(400, 500), name), values).numpy()
        inside = abs(ndtri(p)) < 3.5
        np.testing.assert_allclose(found[inside], ndtri(p)[inside], atol=5e-3)
        assert found.mean() == pytest.approx(0.0, abs=2e-3)
        assert found.std() == pytest.approx(1.0, abs=5e-3)


def test_scores_of_a_normal_are_its_own_up_to_mean_and_width():
    values = 7.0 + 3.0 * ndtri((np.arange(100_000) + 0.5) / 100_000)
    knots = fit_quantiles(values, "normal")
    x = torch.tensor([-20.0, -2.0, 7.0, 10.0, 40.0]).double()
    torch.testing.assert_close(scores_of(knots, x), (x - 7.0) / 3.0, rtol=0.05, atol=1e-4)
    assert Quantile(knots).spread == pytest.approx(3.0, rel=5e-3)


def test_few_values_have_few_knots_and_no_more_than_they_tell():
    knots = fit_quantiles(np.arange(9.0), "few")
    # the smallest and the largest of nine have probabilities of 1/10 and 9/10
    assert max(abs(score) for _, score in knots) <= ndtri(0.9)
    assert dict(knots)[4.0] == pytest.approx(0.0, abs=1e-12)


def test_an_atom_has_the_middle_of_its_scores():
    """Of 40 % zeros: the mean of the scores of knots below that probability."""
    rng = np.random.default_rng(0)
    values = np.concatenate([np.zeros(4000), 1.0 + rng.exponential(size=6000)])
    knots = fit_quantiles(values, "rain")
    grid = np.linspace(-4, 4, 129)
    below = grid[(grid < ndtri(0.4)) & (grid > ndtri(1e-4))]
    assert knots[0][0] == 0.0
    assert knots[0][1] == pytest.approx(below.mean(), abs=1e-9)
    assert len(knots) < 129
    assert scores_of(knots, torch.zeros(3).double()).tolist() == [knots[0][1]] * 3


def test_a_field_of_zero_or_more_stays_so():
    knots, wild = ((0.5, -1.0), (1.0, 0.0), (4.0, 1.0)), torch.linspace(-9, 9, 50)
    assert (Quantile(knots, lowest=0.0).inverse([wild], None, 1.0) >= 0).all()
    assert (Quantile(knots).inverse([wild], None, 1.0) < 0).any()
    x = torch.linspace(0, 9, 50)
    features = [scores_of(knots, x)]
    torch.testing.assert_close(Quantile(knots, lowest=0.0).inverse(features, None, 1.0), x)


def test_gradients_are_the_slopes():
    u = torch.tensor([-3.0, -0.5, 0.5, 3.0]).double().requires_grad_()
    Quantile(((0.0, -1.0), (2.0, 0.0), (3.0, 1.0))).inverse([u], None, 1.0).sum().backward()
    assert u.grad.tolist() == [1.5, 2.0, 1.0, 1.5]


@pytest.mark.parametrize("values", [np.full(50, 3.0), np.full(50, -1e8), np.zeros((4, 4))])
def test_a_constant_has_no_quantiles(values):
    with pytest.raises(EmulatorError, match=r"quantile of flat: expected values .* use identity"):
        fit_quantiles(values, "flat")


@pytest.mark.parametrize("signed", [True, False])
def test_the_fit_is_of_the_training_split_and_kept_with_the_statistics(signed, tmp_path):
    rng = np.random.default_rng(3)
    heavy = rng.lognormal(sigma=2.0, size=(4, 8, 8)).astype(np.float32)
    drawn = heavy - 1.0 if signed else heavy
    write_small(tmp_path, drawn=drawn)
    raw = small(data={"fields": [{**DRAWN, "signed": signed}]})
    run_stages(tmp_path, write(tmp_path, raw), until="fit")
    path = tmp_path / "results/small/normalisation.json"
    normalisation = Normalisation.read(path)
    (channel,) = normalisation.channels
    # all three simulations hold the same values
    expected = fit_quantiles(drawn, "drawn")
    np.testing.assert_allclose(channel.quantiles, expected, rtol=1e-6)
    assert normalisation.target_mean[0] == pytest.approx(0.0, abs=0.02)
    assert normalisation.target_std[0] == pytest.approx(1.0, abs=0.05)
    value = normalisation.model_dump(mode="json")
    for quantiles, words in (
        (None, "needs its quantiles"),
        ([[1.0, 0.0]], "two or more"),
        ([[1.0, 0.0], [1.0, 1.0]], "increasing values and scores"),
        ([[1.0, 1.0], [2.0, 0.0]], "increasing values and scores"),
    ):
        value["channels"][0]["quantiles"] = quantiles
        with pytest.raises(DataError, match=words):
            Normalisation.parse(value, "n.json")


def test_other_channels_are_written_as_before():
    channel = Channel(field=FIELDS["gas"], transform="log_ratio", floor=1.0, loss_weight=1.0)
    assert "quantiles" not in channel.model_dump(mode="json")


def test_it_is_of_arrays_alone():
    for field in (FIELDS["gas"], FIELDS["gas_temperature"]):
        with pytest.raises(ValueError, match="fitted to values of arrays"):
            require_transform(field, "quantile")
    channels = [{"name": "gas", "transform": "quantile"}]
    with pytest.raises(ConfigError, match="gas is made of particles"):
        parse_config({"name": "a", "model": {"channels": channels}})
    for signed in (True, False):
        assert Field(**DRAWN, signed=signed, run="array").transform == "quantile"
