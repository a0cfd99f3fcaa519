"""One model and several answer to the same calls."""

import inspect
import json

import numpy as np
import pytest
from scipy.special import logsumexp
from untrained import PARAMS, build_emulator

from emulator.config import SamplingConfig
from emulator.io import EmulatorError
from emulator.sampling.base import BaseEmulator
from emulator.sampling.mixture import Mixture

FEW = SamplingConfig(n_steps=3)
CENTRES = [(8, 8), (40, 3)]


@pytest.fixture(scope="module")
def models(folder):
    return [build_emulator(folder, seed=seed) for seed in (0, 1)]


@pytest.fixture(scope="module", params=["one", "several"])
def model(request, models):
    return models[0] if request.param == "one" else Mixture({"a": models[0], "b": models[1]})


@pytest.fixture(scope="module")
def drawn(model, box):
    return model.sample(box, PARAMS, centres=CENTRES, n_members=3, seed=1, sampling=FEW)


def test_it_says_what_it_draws_from_what(model):
    assert model.channels == ["dm_hydro", "gas", "stars"]
    assert model.params == list(PARAMS)
    assert [field.label for field in model.fields] == ["dark matter", "gas", "stars"]


def test_members_do_not_depend_on_which_others_are_drawn(model, box, drawn):
    tail = model.sample(
        box, PARAMS, centres=CENTRES, n_members=2, first_member=1, seed=1, sampling=FEW
    )
    assert tail.member.values.tolist() == [1, 2]
    np.testing.assert_allclose(tail.fields, drawn.fields.sel(member=[1, 2]), rtol=1e-5)


def test_a_result_says_what_was_asked_for(model, box, drawn):
    """As it was in this call: not the defaults, and not the share of one model of several."""
    asked = {"n_members": 3, "first_member": 0, "seed": 1, "noise_of": None}
    assert json.loads(drawn.attrs["call"]) == asked
    np.testing.assert_array_equal(drawn["centre"], CENTRES)
    options = {"n_steps": 2, "solver": "ddim", "batch_size": 1}
    other = model.sample(
        box, PARAMS, centres_mpch=[(1.7, 1.7)], n_members=2, first_member=np.int64(4), seed=7,
        noise_of=["a"], sampling=options,
    )  # fmt: skip
    assert json.loads(other.attrs["call"]) == {
        "n_members": 2, "first_member": 4, "seed": 7, "noise_of": ["a"],
    }  # fmt: skip
    assert other["centre"].values.tolist() == [[8, 8]]
    assert other["member"].values.tolist() == [4, 5]
    said = json.loads(other.attrs["sampling"])
    assert (said["n_steps"], said["solver"]["name"], said["batch_size"]) == (2, "ddim", 1)
    assert (other.attrs["n_steps"], other.attrs["solver"]) == (2, "ddim")
    again = model.sample(drawn, PARAMS, n_members=1, sampling=FEW)
    assert "centre" not in again


def test_known_values_are_passed_on(model, box, drawn):
    observed = drawn.fields.values[:, 0]
    through = model.sample(
        box, PARAMS, centres=CENTRES, n_members=2, sampling=FEW, observed=observed
    )
    assert through.attrs["observed_share"] == 1.0


def test_the_density_is_finite_and_has_an_error(model, drawn):
    density = model.log_likelihood(
        drawn.fields.values[:, 0], drawn, PARAMS, n_steps=4, n_probes=2, seed=3
    )
    assert density.log_likelihood.shape == density.standard_error.shape == (2,)
    assert np.isfinite(density.log_likelihood).all()


def test_the_density_of_several_is_the_mean_of_theirs(models, drawn):
    fields = drawn.fields.values[:, 0]
    options = {"n_steps": 4, "n_probes": 2, "seed": 3}
    mixture = Mixture({"a": models[0], "b": models[1]})
    each = [m.log_likelihood(fields, drawn, PARAMS, **options).log_likelihood for m in models]
    found = mixture.log_likelihood(fields, drawn, PARAMS, **options).log_likelihood
    np.testing.assert_allclose(found, logsumexp(each, axis=0) - np.log(2))


def test_misspelt_options_are_refused(model, box):
    with pytest.raises(TypeError, match="n_member"):
        model.sample(box, PARAMS, centres=CENTRES, n_member=2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_members": 0}, {"n_members": -1}, {"n_members": 2.5}, {"n_members": True},
        {"first_member": -1}, {"first_member": "0"}, {"seed": -1}, {"seed": 0.5}, {"seed": None},
    ],
)  # fmt: skip
def test_numbers_that_are_none_are_refused(model, box, wrong):
    ((name, value),) = wrong.items()
    said = rf"{name}: expected an integer.*got {value!r}"
    with pytest.raises(EmulatorError, match=said):
        model.sample(box, PARAMS, centres=CENTRES, **wrong)
    with pytest.raises(EmulatorError, match=said):
        model.paint(box, PARAMS, **wrong)
    if name == "seed":
        with pytest.raises(EmulatorError, match=said):
            model.log_likelihood(np.ones((2, 3, 16, 16)), box, PARAMS, centres=CENTRES, **wrong)


def test_fields_of_another_shape_are_refused(model, drawn):
    with pytest.raises(EmulatorError, match="fields: expected shape"):
        model.log_likelihood(drawn.fields.values[:, 0, :2], drawn, PARAMS)


def test_neither_has_a_signature_of_its_own(model):
    for name in ("sample", "log_likelihood"):
        own = inspect.getattr_static(type(model), name)
        assert own is inspect.getattr_static(BaseEmulator, name)
