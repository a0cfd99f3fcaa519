"""Arrays: a one-step ensemble and a quantile transform to the page, and a solver that is found."""

import json
import re

import numpy as np
import pytest
import torch
from arrays import OF_MATTER, command, merged, run_stages, small, words, write

import emulator
from emulator.config import SamplingConfig, parse_config
from emulator.data.condition import Condition
from emulator.io import read_dataset
from emulator.metrics.power_spectrum import build_shells, power_spectrum
from emulator.model.field_transform import FieldTransform
from emulator.model.normalisation import Normalisation
from emulator.model.quantile import fit_quantiles
from emulator.training.objectives.views import UNIT_OF_STD, Views, square_means

TINY = {
    "training": {"max_steps": 4, "checkpoint_steps": 2, "batch_size": 4, "warmup_steps": 1,
                 "validation_windows": 4, "ensemble_every": 1},
    "regression": {"max_steps": 0},
    "sampling": {"n_members": 3, "windows_per_simulation": 3},
    "suite": {"pixel": 2.0, "length_unit": "km"},
}  # fmt: skip
SHAPE = (8, 16)


def rectangles(seed, n_rows=4):
    rng = np.random.default_rng(seed)
    given = rng.random((n_rows, *SHAPE)).astype(np.float32)
    return {"given": given, "drawn": (np.exp(2 * given) - 2).astype(np.float32)}


def raw_of(**changes):
    field = {"name": "drawn", "label": "drawn", "unit": "kg/m^3", "signed": True}
    shape = {"shape": list(SHAPE), "fields": [{**field, "transform": "quantile"}]}
    return merged(small(**TINY), {"data": shape, **changes})


def files(folder):
    for seed, name in enumerate(("run_0", "run_1", "run_2")):
        np.savez(folder / f"{name}.npz", **rectangles(seed))


def normalisation_of(transform, values, floor=1.0):
    """Of one signed field, with one condition."""
    options = {"quantiles": fit_quantiles(values, "drawn")} if transform == "quantile" else {}
    field = {"name": "drawn", "label": "drawn", "unit": "m", "signed": True, "run": "array"}
    return Normalisation.parse(
        {
            "channels": [
                {
                    "field": {**field, "transform": transform, "floor": floor},
                    "transform": transform, "floor": floor, "loss_weight": 1.0, **options,
                }
            ],
            "target_mean": [0.0],
            "target_std": [1.0 if transform == "quantile" else float(values.std())],
            "condition_mean": [0.0],
            "condition_std": [1.0],
            "context_factors": [],
            "params": {},
            "given": [{**field, "name": "given", "transform": "identity", "floor": 1.0}],
        },
        "here",
    )  # fmt: skip


def test_means_over_the_longer_side_are_those_of_the_window():
    x = torch.randn(2, 3, 8, 16)
    torch.testing.assert_close(square_means(x, 16), x.mean((-2, -1))[..., None])
    torch.testing.assert_close(square_means(x, 4)[0, 0, 5], x[0, 0, 4:8, 4:8].mean())
    assert square_means(x, 2).shape == (2, 3, 32)


@pytest.mark.parametrize("transform", ["identity", "quantile"])
@pytest.mark.parametrize("scale", [1.0e-6, 1.0, 1.0e6])
def test_views_do_not_depend_on_the_unit_of_a_field(transform, scale):
    """But for means of ``identity``, which are in it; a score divides them by their scatter."""
    values = np.random.default_rng(0).standard_normal((4, 1, *SHAPE))
    views = {}
    for factor in (1.0, scale):
        normalisation = normalisation_of(transform, factor * values)
        condition = Condition(torch.zeros(4, *SHAPE), torch.zeros(4, 0, *SHAPE), torch.zeros(4, 0))
        fields = torch.from_numpy(factor * values)
        views[factor] = Views(FieldTransform(normalisation))(fields, condition)
    *means, power = views[scale]
    *others, plain = views[1.0]
    assert [view.shape[-1] for view in means] == [128, 32, 8, 1]
    torch.testing.assert_close(power, plain, rtol=1e-4, atol=1e-4)
    assert power.std() > 0.1
    unit = scale if transform == "identity" else 1.0
    for mean, other in zip(means, others, strict=True):
        torch.testing.assert_close(mean, unit * other, rtol=1e-3, atol=1e-3 * unit)


def test_the_least_power_is_that_of_a_hundredth_of_the_spread():
    """A constant: ln of one pixel at ``UNIT_OF_STD`` in its own units, at all wave numbers."""
    values = np.random.default_rng(0).standard_normal((4, 1, *SHAPE))
    views = Views(FieldTransform(normalisation_of("identity", values)))
    condition = Condition(torch.zeros(1, *SHAPE), torch.zeros(1, 0, *SHAPE), torch.zeros(1, 0))
    *_, power = views(torch.full((1, 1, *SHAPE), 3.0).double(), condition)
    # beside the spectrum of no field at all
    torch.testing.assert_close(power, torch.zeros_like(power))
    assert views.units.tolist() == pytest.approx([UNIT_OF_STD * values.std()])


@pytest.mark.slow
def test_a_one_step_ensemble_of_quantiles_to_the_page(tmp_path):
    files(tmp_path)
    raw = raw_of(training={"objective": "one_step"})
    results = run_stages(tmp_path, write(tmp_path, raw))
    (path,) = (results / "ensembles/test").glob("*.nc")
    ensemble = read_dataset(path)
    assert (ensemble.attrs["solver"], ensemble.attrs["n_steps"]) == ("one_step", 1)
    assert np.isfinite(ensemble["fields"]).all()
    assert (ensemble["fields"] < 0).any()
    history = (results / "model/seed_0/history.csv").read_text().splitlines()
    assert "val_spread_skill_drawn" in history[0]
    page = words(results / "report.html")
    assert not re.findall(rf"(?i).{{0,40}}(?:{OF_MATTER}).{{0,40}}", page)
    assert "one-step ensemble draws the drawn given given" in page
    model = emulator.load(results / "model", device="cpu")
    given = rectangles(9)["given"]
    drawn = model.sample(given, None, n_members=2)["fields"]
    assert drawn.shape == (4, 2, 1, *SHAPE)
    assert not np.array_equal(drawn[:, 0], drawn[:, 1])


@pytest.mark.slow
def test_a_solver_is_found_for_arrays_and_drawn_with(tmp_path):
    files(tmp_path)
    auto = {
        "name": "auto", "evaluations": [2, 4], "reference_evaluations": 8, "windows": 4,
        "spectrum_error": 100.0, "crps_error": 100.0,
    }  # fmt: skip
    raw = raw_of(sampling={"solver": auto})
    config = write(tmp_path, raw)
    results = run_stages(tmp_path, config, until="train")
    for stage in ("tune", "sample", "validate", "report"):
        done = command(tmp_path, stage, config)
        assert done.exit_code == 0, f"{done.output} {done.exception}"
    found = json.loads((results / "model/seed_0/solver.json").read_text())
    assert found["sampling"]["n_steps"] == 2
    assert (found["k_min_hmpc"], found["k_unit"]) == (None, "1/km")
    shells = build_shells(SHAPE, 2.0).k_hmpc
    low, high = found["k_range"]
    assert low < shells[0] < shells[-1] < high
    (path,) = (results / "ensembles/test").glob("*.nc")
    assert read_dataset(path).attrs["n_steps"] == 2
    page = words(results / "report.html")
    assert f"k = {low:g} to {high:g} 1/km" in page
    assert not re.findall(rf"(?i).{{0,40}}(?:{OF_MATTER}|h/Mpc).{{0,40}}", page)

    # its error, drawn by the model itself and compared without the stage
    model = emulator.load(results / "model/seed_0", device="cpu")
    splits = json.loads((results / "splits.json").read_text())
    (name,) = splits["validation"]
    given = np.load(tmp_path / f"{name}.npz")["given"]
    row = found["table"][1]
    assert found["windows"] == len(given) == 4
    powers = []
    for setting in (row["setting"], found["reference"]):
        options = SamplingConfig(**setting)
        drawn = model.sample(given, None, n_members=2, seed=0, sampling=options)["fields"]
        plain = drawn.drop_vars(list(drawn.coords))
        powers.append(power_spectrum(plain, pixel_mpch=2.0).mean(("sample", "member")).values)
    error = abs(powers[0] / powers[1] - 1).max()
    assert row["spectrum_error"]["drawn"] == pytest.approx(error, rel=1e-2)


def test_configs_of_arrays_may_ask_for_both():
    asked = {"sampling": {"solver": "auto", "n_steps": None, "spacing": None}}
    assert parse_config(small(**asked)).sampling.solver.name == "auto"
    assert parse_config(small(training={"objective": "one_step"})).training.objective == "one_step"
