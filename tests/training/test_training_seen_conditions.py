"""What a bundle keeps of the conditions of its training."""

import numpy as np
import pytest
import yaml
from pydantic import ValidationError
from scipy.spatial.distance import mahalanobis
from scipy.stats import kstest
from seen import WINDOW, write_runs
from typer.testing import CliRunner

from emulator.cli import app
from emulator.data.maps import read_maps
from emulator.data.splits import read_splits
from emulator.io import read_dataset, write_dataset
from emulator.model.condition_summaries import (
    mean_mass,
    say_summary,
    summarise,
    summary_names,
)
from emulator.model.fit_conditions import _fit, fit_conditions
from emulator.model.normalisation import Normalisation
from emulator.model.seen_conditions import SHARES, SeenConditions

NAMES = summary_names(WINDOW)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return write_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def windows(rng):
    return np.exp(rng.standard_normal((5, WINDOW, WINDOW)))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def column(summaries, name):
    return summaries[:, NAMES.index(name)]


def test_density_and_pdf_are_those_of_the_pixels(windows):
    found = summarise(windows, np.full(5, 2.0))
    means = windows.mean(axis=(1, 2))
    assert np.allclose(column(found, "density"), np.log(means / 2.0))
    u = np.log(windows / means[:, None, None] + 1e-3)
    assert np.allclose(column(found, "pdf_0.5"), np.median(u, axis=(1, 2)))
    assert np.allclose(column(found, "maximum"), u.max(axis=(1, 2)))


def test_power_of_white_noise_is_its_variance_in_every_band(rng):
    noise = np.exp(0.1 * rng.standard_normal((4000, WINDOW, WINDOW)))
    found = summarise(noise, np.ones(4000))
    for name in NAMES:
        if name.startswith("power"):
            assert np.exp(column(found, name)).mean() == pytest.approx(0.01, rel=0.1), name


def test_summaries_do_not_see_turns_flips_and_all_but_the_density_no_factor(windows):
    plain = summarise(windows, np.ones(5))
    for other in (np.rot90(windows, axes=(1, 2)), windows[:, ::-1], windows.transpose(0, 2, 1)):
        assert np.allclose(summarise(other, np.ones(5)), plain)
    heavier = summarise(3.0 * windows, np.ones(5))
    assert np.allclose(column(heavier, "density"), column(plain, "density") + np.log(3.0))
    assert np.allclose(heavier[:, 1:], plain[:, 1:])


def test_a_window_without_mass_or_without_structure_has_finite_summaries():
    flat = np.stack([np.zeros((WINDOW, WINDOW)), np.ones((WINDOW, WINDOW))])
    assert np.isfinite(summarise(flat, np.ones(2))).all()


def test_small_windows_lack_long_waves_and_every_summary_can_be_said():
    assert len(summary_names(4)) < len(summary_names(8)) == len(NAMES)
    assert len({say_summary(name) for name in NAMES}) == len(NAMES)
    assert summarise(np.ones((1, 4, 4)), np.ones(1)).shape == (1, len(summary_names(4)))


def test_the_distance_is_that_of_mahalanobis_and_runs_are_left_out(rng):
    runs = [rng.standard_normal((200, 3)) @ rng.normal(size=(3, 3)) + 7 for _ in range(5)]
    seen = _fit(runs, ("a", "b", "c"))
    everything, by_hand = np.concatenate(runs), []
    mean, inverse = everything.mean(axis=0), np.linalg.inv(np.cov(everything.T, ddof=0))
    expected = [mahalanobis(row, mean, inverse) / np.sqrt(3) for row in everything]
    assert np.allclose(seen.distance(everything), expected)
    for i, own in enumerate(runs):
        others = np.concatenate([run for j, run in enumerate(runs) if j != i])
        mean, inverse = others.mean(axis=0), np.linalg.inv(np.cov(others.T, ddof=0))
        by_hand += [mahalanobis(row, mean, inverse) / np.sqrt(3) for row in own]
    assert np.allclose(seen.distances, np.quantile(by_hand, SHARES))
    assert (seen.windows, seen.runs) == (1000, 5)


def test_scores_of_windows_alike_are_uniform_whatever_their_law(rng):
    mix = rng.normal(size=(4, 4))
    draw = [np.exp(rng.standard_t(5, (500, 4)) / 3) @ mix for _ in range(13)]
    seen = _fit(draw[:8], tuple("abcd"))
    assert kstest(seen.score(np.concatenate(draw[8:])), "uniform").statistic < 0.04


def test_a_score_falls_from_one_to_zero_beyond_all(rng):
    runs = [rng.standard_normal((100, 2)) for _ in range(4)]
    seen = _fit(runs, ("a", "b"))
    out = np.array([[float(x), 0.0] for x in (0, 1, 2, 3, 100)])
    scores = seen.score(out)
    assert (np.diff(scores) <= 0).all()
    assert scores[0] > 0.9
    assert scores[-1] == 0.0


def test_the_most_unusual_summary_is_the_one_that_was_moved(rng):
    runs = [rng.standard_normal((300, 3)) @ np.array([[1, 0.9, 0], [0, 0.3, 0], [0, 0, 1.0]])
            for _ in range(4)]  # fmt: skip
    seen = _fit(runs, ("a", "b", "c"))
    moved = np.concatenate(runs) + np.array([0.0, 1.5, 0.0])
    name, by = seen.most_unusual(moved)
    assert name == "b"
    assert by == pytest.approx(1.5 / 0.3, rel=0.05)


def test_maps_are_cut_and_those_that_simulations_share_count_once(paths):
    seen = fit_conditions(paths, WINDOW)
    assert seen == fit_conditions(paths[::2], WINDOW)
    assert seen.runs == 6
    assert seen.windows == 6 * 3 * (64 // (WINDOW // 2)) ** 2
    maps = read_maps(paths[0])
    attrs = maps.attrs
    mean = mean_mass(attrs["omega_m"], attrs["pixel_mpch"], attrs["depth_mpch"])
    # the mean density of a box is that of the universe
    assert float(maps.maps[0, 0].mean()) == pytest.approx(mean, rel=1e-5)
    assert abs(seen.mean[NAMES.index("density")]) < 0.2


def test_the_command_keeps_those_of_the_training_split(tmp_path):
    write_runs(tmp_path / "maps", n_runs=8)
    config = {
        "name": "seen",
        "suite": {"kind": "embedded", "design": {"sb_runs": 8, "sb_per_run": 2, "cv_runs": 1}},
        "data": {"n_pixels": 64, "window": 16, "context_factors": [2, 4]},
        "model": {"params": ["Omega_m", "A_SN1"]},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    where = ["--maps", tmp_path / "maps", "--results", tmp_path]
    done = CliRunner().invoke(app, list(map(str, ["fit", tmp_path / "config.yaml", *where])))
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    train = read_splits(tmp_path / "splits.json")["train"]
    assert len(train) < 16
    found = Normalisation.read(tmp_path / "normalisation.json").conditions
    assert found == fit_conditions([tmp_path / f"maps/{name}.h5" for name in train], 16)
    assert found.runs == len(train) // 2
    # whole boxes are too few
    config["data"] = {"n_pixels": 64, "window": 64, "context_factors": []}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    done = CliRunner().invoke(app, list(map(str, ["fit", tmp_path / "config.yaml", *where])))
    assert "conditions: too few" in done.output
    assert Normalisation.read(tmp_path / "normalisation.json").conditions is None


def test_ready_windows_are_used_whole(paths, tmp_path):
    files = []
    for path in paths[::2]:
        whole = read_dataset(path)
        cut = whole["maps"].values.reshape(3, 4, 4, 16, 4, 16).transpose(0, 2, 4, 1, 3, 5)
        cut = cut.reshape(48, 4, 16, 16)
        cut = np.concatenate([cut, cut[::-1] * 1.5])
        ready = whole.drop_dims(["projection", "y_2", "x_2", "y_4", "x_4"])
        ready["maps"] = (("projection", "species", "y", "x"), cut)
        ready = ready.assign_coords(projection=[f"w{i}" for i in range(96)])
        for factor in (2, 4):
            dims = ("projection", f"y_{factor}", f"x_{factor}")
            ready[f"context_{factor}"] = (dims, ready["maps"].values[:, 0])
        files.append(tmp_path / path.name)
        write_dataset(ready.assign_attrs(periodic=0), files[-1])
    seen = fit_conditions(files, WINDOW)
    assert (seen.runs, seen.windows) == (6, 6 * 96)


def test_too_few_runs_or_windows_say_nothing(paths, rng):
    assert fit_conditions(paths[:6], WINDOW) is None
    assert fit_conditions(paths, 64) is None
    same = np.ones((400, 2))
    assert _fit([same] * 4, ("a", "b")) is None
    doubled = [np.repeat(rng.standard_normal((400, 1)), 2, axis=1) for _ in range(4)]
    assert _fit(doubled, ("a", "b")) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": (0.0,)}, "need 2 values"),
        ({"precision": ((1.0, 0.5), (0.0, 1.0))}, "symmetric"),
        ({"precision": ((1.0, 2.0), (2.0, 1.0))}, "positive definite"),
        ({"distances": tuple(range(3))}, "distances"),
        ({"distances": tuple(range(len(SHARES), 0, -1))}, "do not decrease"),
        ({"mean": (np.nan, 0.0)}, "finite"),
    ],
)
def test_what_is_no_law_is_refused(changes, message):
    sound = {
        "summaries": ("a", "b"), "mean": (0.0, 0.0), "precision": ((1.0, 0.0), (0.0, 1.0)),
        "distances": tuple(float(i) for i in range(len(SHARES))), "windows": 9, "runs": 4,
    }  # fmt: skip
    SeenConditions(**sound)
    with pytest.raises(ValidationError, match=message):
        SeenConditions(**sound | changes)
