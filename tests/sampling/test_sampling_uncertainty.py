"""The split of a variance: closed forms, identities, and models whose parts are known."""

import itertools

import numpy as np
import pytest
import xarray as xr
from untrained import PARAMS, build_emulator

from emulator.config import SamplingConfig
from emulator.io import EmulatorError
from emulator.sampling.mixture import Mixture
from emulator.sampling.uncertainty import split_variance

FEW = SamplingConfig(n_steps=2)
DIMS = ("model", "point", "member")


def effects(rng, shape, sizes=(2.0, 1.0, 0.5)):
    """Values that are sums of a model's, a point's and a member's effects of these sizes."""
    n_models, n_points, _ = shape[-3:]
    rest = shape[:-3]
    models = rng.normal(size=(*rest, n_models, 1, 1)) * sizes[0]
    points = rng.normal(size=(*rest, n_models, n_points, 1)) * sizes[1]
    return models + points + rng.normal(size=shape) * sizes[2]


def test_terms_are_unbiased():
    """Mean over 4000 small ensembles: 4, 1 and 0.25."""
    values = effects(np.random.default_rng(0), (4000, 3, 4, 2))
    found = split_variance(xr.DataArray(values, dims=("case", *DIMS)))
    for name, expected in (("between_models", 4.0), ("parameters", 1.0), ("sampling", 0.25)):
        term = found[name]
        error = float(term.std("case")) / np.sqrt(4000)
        assert float(term.mean("case")) == pytest.approx(expected, abs=4 * error)


@pytest.mark.parametrize("left_out", [(), ("point",), ("model",), ("model", "point")])
def test_the_sum_is_the_variance_of_pairs_of_the_outermost(left_out):
    """Brute force over all pairs that differ there: an identity, for any values."""
    dims = [dim for dim in DIMS if dim not in left_out]
    shape = [{"model": 3, "point": 4, "member": 5}[dim] for dim in dims]
    values = np.random.default_rng(1).lognormal(size=shape)
    found = split_variance(xr.DataArray(values, dims=dims))
    flat = values.reshape(len(values), -1)
    pairs = [
        0.5 * (flat[i][:, None] - flat[j][None, :]) ** 2
        for i, j in itertools.combinations(range(len(flat)), 2)
    ]
    assert float(found["total"]) == pytest.approx(np.mean(pairs), rel=1e-12)
    names = {"member": "sampling", "point": "parameters", "model": "between_models"}
    assert set(found.data_vars) == {names[dim] for dim in dims} | {"total", "mean"}
    assert float(found["mean"]) == pytest.approx(values.mean())
    assert found.attrs["n_members"] == 5


def test_effects_alone_are_told_apart():
    """Of models alone, and of points alone, without any noise."""
    rng = np.random.default_rng(2)
    for number, name in enumerate(("between_models", "parameters", "sampling")):
        sizes = np.eye(3)[number]
        values = effects(rng, (2000, 3, 3, 3), sizes)
        found = split_variance(xr.DataArray(values, dims=("case", *DIMS))).mean("case")
        for term in ("between_models", "parameters", "sampling"):
            assert float(found[term]) == pytest.approx(float(term == name), abs=0.1)


@pytest.mark.parametrize(("dims", "said"), [(("model",), "member"), (DIMS, "along point, got 1")])
def test_what_tells_no_variance_is_refused(dims, said):
    with pytest.raises(EmulatorError, match=said):
        split_variance(xr.DataArray(np.zeros((3, 1, 2)[-len(dims) :]), dims=dims))


@pytest.fixture(scope="module")
def mixture(folder):
    models = [build_emulator(folder, zero=True, seed=seed) for seed in (0, 1, 2)]
    return Mixture({str(model.seed): model for model in models})


def test_of_models_that_do_the_same_nothing_is_between_them(mixture, box):
    """Members of an untaught model are noise in ln(gas / DMO), whatever A_SN1 is."""
    found = mixture.uncertainty(
        box, {"Omega_m": 0.3}, centres=[(8, 8), (40, 3)], n_points=6, n_members=4, sampling=FEW
    )
    assert found.attrs == {"n_members": 4, "n_points": 6, "n_models": 3}
    assert found["total"].dims == ("sample", "channel", "y", "x")
    gas = found.sel(channel="gas")
    shares = {
        name: float((gas[name] / gas["total"]).mean())
        for name in ("sampling", "parameters", "between_models")
    }
    assert shares["sampling"] == pytest.approx(1.0, abs=0.05)
    assert abs(shares["parameters"]) < 0.05
    assert abs(shares["between_models"]) < 0.05


@pytest.mark.filterwarnings("ignore:.*Omega_m")
def test_parameters_move_what_they_must(mixture, box):
    """Gas goes as Omega_b / Omega_m: the variance of its mean over a window, from the prior."""
    model, places = mixture.models[0], {"centres": [(8, 8)], "sampling": FEW, "seed": 3}
    prior = {"Omega_m": (0.27, 0.33)}
    found = model.uncertainty(
        box, {"A_SN1": 0.0125}, prior=prior, of="mass", n_points=120, n_members=2,
        out_of_range="warn", **places,
    ).isel(sample=0).sel(channel="gas")  # fmt: skip
    assert "between_models" not in found
    # x = 1/Omega_m, uniform in Omega_m: moments in closed form
    first, second = np.log(0.33 / 0.27) / 0.06, 1 / (0.27 * 0.33)
    ratio = float(found["parameters"] / found["mean"] ** 2)
    assert ratio == pytest.approx(second / first**2 - 1, rel=0.3)


def test_where_all_is_known_no_parameter_adds(mixture, box):
    found = mixture.uncertainty(
        box, PARAMS, centres=[(8, 8)], of="power", n_points=1, n_members=2, sampling=FEW
    )
    assert set(found.data_vars) == {"sampling", "between_models", "total", "mean"}
    assert found["total"].dims == ("sample", "channel", "k")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n_members": 1}, "n_members: one tells no variance"),
        ({"n_points": 1}, "n_points: one tells no variance"),
        ({"of": "peaks"}, "of: expected fields, mass, variance, power, got 'peaks'"),
        ({"prior": {"Omega_m": (0.2, 0.3)}}, r"\['Omega_m'\] are known"),
    ],
)
def test_what_is_no_ensemble_is_refused(mixture, box, options, said):
    with pytest.raises(EmulatorError, match=said):
        mixture.uncertainty(box, {"Omega_m": 0.3}, centres=[(8, 8)], sampling=FEW, **options)
