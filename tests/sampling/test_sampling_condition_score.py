"""Scores of conditions that a model is asked about: usual ones pass, others are said or refused."""

import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from seen import build_knowing, knowing, training, write_runs
from untrained import FACTORS, PARAMS, WINDOW, build_emulator

from emulator.config import SamplingConfig
from emulator.data.cutouts import extract
from emulator.data.maps import read_maps
from emulator.io import EmulatorError
from emulator.model.card import ModelCard
from emulator.model.condition_summaries import mean_mass, summarise
from emulator.model.fit_conditions import fit_conditions
from emulator.model.seen_conditions import SHARES
from emulator.sampling.mixture import Mixture

FAST = SamplingConfig(n_steps=1, batch_size=64)
CENTRES = [(r, c) for r in range(8, 64, 16) for c in range(8, 64, 16)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs")
    write_runs(path)
    return path


@pytest.fixture(scope="module")
def model(folder):
    return build_knowing(folder)


@pytest.fixture(scope="module")
def box(folder):
    return read_maps(folder / "CV_0.h5").select(["dmo"])[0, 0]


def smooth(box, by=2.0):
    return gaussian_filter(box, by, mode="wrap")


def draw(model, box, centres=CENTRES, **options):
    return model.sample(box, PARAMS, centres=centres, n_members=1, sampling=FAST, **options)


def test_the_score_is_the_share_of_training_windows_farther_out(model, folder, box):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = draw(model, box)
    scores = drawn["condition_score"]
    assert scores.dims == ("sample",)
    assert "share of the training windows" in scores.attrs["long_name"]
    grid, seen = model.card.grid, model.card.normalisation.conditions
    mean = mean_mass(PARAMS["Omega_m"], grid.pixel_mpch, grid.depth_mpch)
    found = seen.distance(summarise(drawn["condition"].values, np.full(16, mean)))
    row = np.searchsorted(seen.distances, found)
    assert (row > 0).all()
    assert (scores.values <= 1.0 - np.array(SHARES)[row - 1]).all()
    assert (scores.values >= 1.0 - np.array(SHARES)[row]).all()
    assert np.ptp(scores.values) > 0.2


def test_another_kind_of_map_is_refused_and_by_policy_drawn(model, box):
    with pytest.raises(EmulatorError, match=r"unlike those of the training.*out_of_range='warn'"):
        draw(model, smooth(box))
    with pytest.warns(UserWarning, match="half of the 16 are more unusual than"):
        drawn = draw(model, smooth(box), out_of_range="warn")
    assert np.median(drawn["condition_score"]) < 0.01


def test_a_few_windows_are_not_refused_but_said(model, box):
    with pytest.warns(UserWarning, match="unlike those of the training"):
        draw(model, smooth(box, 4.0), CENTRES[:2])


def test_one_window_among_usual_ones_is_said_and_drawn(model, folder, box):
    maps = read_maps(folder / "CV_0.h5")
    cuts = [
        extract(maps, 0, at, window=WINDOW, context_factors=FACTORS, species=()) for at in CENTRES
    ]
    condition = np.stack([cut.condition for cut in cuts])
    condition[3] = condition[3].mean()
    with pytest.warns(UserWarning, match=r"1 of 16 windows lie beyond .* \(sample 3 among them\)"):
        drawn = model.sample(
            condition, PARAMS, large_scale=np.stack([cut.large_scale for cut in cuts]),
            n_members=1, sampling=FAST,
        )  # fmt: skip
    assert drawn["condition_score"].values[3] == 0.0


def test_likelihoods_and_responses_are_asked_of_the_same_conditions(model, box):
    fields = np.ones((16, 3, WINDOW, WINDOW), np.float32)
    with pytest.raises(EmulatorError, match="unlike those of the training"):
        model.log_likelihood(fields, smooth(box), PARAMS, centres=CENTRES, n_steps=1)
    with pytest.raises(EmulatorError, match="unlike those of the training"):
        model.response(smooth(box), PARAMS, vary={"A_SN1": [0.013]}, n_members=2, sampling=FAST)


def test_a_box_says_the_scores_of_its_windows_where_they_lie(model, box):
    painted = model.paint(box, PARAMS, sampling=FAST)
    assert painted["condition_score"].dims == ("window",)
    assert painted.attrs["condition_beyond"] == (painted["condition_score"] < 0.001).mean()
    places = (painted[name].values.tolist() for name in ("window_row", "window_col"))
    centres = list(zip(*places, strict=True))
    drawn = draw(model, box, centres)
    assert np.allclose(drawn["condition_score"], painted["condition_score"])
    # the same windows in a box that was cut open elsewhere
    rolled = model.paint(np.roll(box, (5, 7), (0, 1)), PARAMS, origin=(-5, -7), sampling=FAST)
    assert np.allclose(rolled["condition_score"], painted["condition_score"])
    assert ((rolled["window_row"] - painted["window_row"]) % 64 == 5).all()
    assert ((rolled["window_col"] - painted["window_col"]) % 64 == 7).all()


def test_a_box_of_another_kind_is_refused(model, box):
    with pytest.raises(EmulatorError, match="unlike those of the training"):
        model.paint(smooth(box), PARAMS, sampling=FAST)
    with pytest.warns(UserWarning, match="unlike those of the training"):
        painted = model.paint(smooth(box), PARAMS, sampling=FAST, out_of_range="warn")
    assert painted.attrs["condition_score_median"] < 0.01


def test_without_knowledge_there_is_no_score(folder, box):
    plain = build_emulator(folder)
    assert plain.card.normalisation.conditions is None
    assert "condition_score" not in draw(plain, smooth(box)).coords
    assert "condition_score" not in plain.paint(smooth(box), PARAMS, sampling=FAST).coords


def test_a_mixture_has_the_scores_of_its_models(folder, box, model):
    seen = fit_conditions(training(folder), WINDOW)
    both = Mixture({str(s): knowing(build_emulator(folder, seed=s), seen) for s in (0, 1)})
    drawn = both.sample(box, PARAMS, centres=CENTRES, n_members=2, sampling=FAST)
    assert np.array_equal(drawn["condition_score"], draw(model, box)["condition_score"])


def test_a_card_keeps_what_it_knows(model):
    card = model.card
    assert ModelCard.model_validate(card.model_dump(mode="json")) == card
