"""`calibration: {enabled: true}` as a user meets it: a command, a file of the bundle, who draws.

The model is that of tests/regression: trained a little, on fabricated maps.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml
from tiny import OF_TRAINED
from typer.testing import CliRunner
from untrained import PARAMS, build_emulator, write_untrained

import emulator as package
from emulator.cli import app
from emulator.config import SamplingConfig, parse_config
from emulator.config.section import ConfigError
from emulator.io import DataError, EmulatorError, read_json, write_json
from emulator.model.calibration import read_calibration
from emulator.sampling.growth import grow_ensemble
from emulator.sampling.held_out import cut_windows
from emulator.sampling.loading import load_bundle
from emulator.sampling.mixture import Mixture

TRAINED = Path(__file__).parents[1] / "regression/trained"
CENTRES = [(8, 8), (40, 3)]
CONFIG = {
    "name": "tiny",
    "data": {"n_pixels": 64, "window": 16, "context_factors": [2, 4]},
    "model": OF_TRAINED,
    "sampling": {"n_members": 2, "windows_per_simulation": 2, "n_steps": 4},
}
ASKED = {"enabled": True, "windows": 4, "members": 3, "rounds": 1, "largest_factor": 1.5}


def write_config(folder, **calibration):
    raw = {**CONFIG, "calibration": {**ASKED, **calibration}}
    (folder / "config.yaml").write_text(yaml.safe_dump(raw))


def call(command, root, maps, *more, code=0):
    arguments = [command, root / "config.yaml", "--maps", maps, "--results", root, *more]
    done = CliRunner().invoke(app, list(map(str, arguments)))
    if code:
        assert isinstance(done.exception, EmulatorError), done.output
        return str(done.exception)
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    return done.output


@pytest.fixture(scope="module")
def calibrated(folder, tmp_path_factory):
    """Results with a calibrated bundle, what the command said, and the bundle's bytes before it."""
    root = tmp_path_factory.mktemp("results")
    shutil.copytree(TRAINED, root / "model/seed_0")
    splits = {"train": ["SB_0"], "validation": ["SB_1", "BE_0"], "test": ["CV_0"]}
    write_json(root / "splits.json", splits)
    write_config(root)
    before = {path.name: path.read_bytes() for path in (root / "model/seed_0").iterdir()}
    return root, call("calibrate", root, folder), before


@pytest.fixture
def results(calibrated, tmp_path):
    """A copy, to be changed."""
    return shutil.copytree(calibrated[0], tmp_path / "results")


@pytest.fixture(scope="module")
def bundle(calibrated):
    return calibrated[0] / "model/seed_0"


def change(bundle, **update):
    """Another calibration in the file, sealed as it should be."""
    value = read_json(bundle / "calibration.json")
    write_json(bundle / "calibration.json", {**value, **update})


# --------------------------------------------------------------------------------- the command


def test_the_command_writes_one_file_and_leaves_the_model_as_it_is(calibrated, bundle):
    _, said, before = calibrated
    found = read_calibration(bundle, read_json(bundle / "model.json")["weights_sha256"])
    assert found.fields == ("dm_hydro", "gas", "stars", "stars")
    assert (found.simulations, found.windows, found.members) == (("SB_1", "BE_0"), 4, 3)
    assert (found.sampling.solver.name, found.sampling.n_steps) == ("unipc3", 4)
    assert all(1 / 1.5001 < factor < 1.5001 for factor in found.noise_scale)
    assert any(factor != 1.0 for factor in found.noise_scale)
    assert found.said in said
    assert found.measured in said
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == {
        **before, "calibration.json": (bundle / "calibration.json").read_bytes(),
    }  # fmt: skip


def test_the_table_is_what_the_model_draws_before_and_after(bundle, folder):
    """Drawn by the model itself, window by window, and measured without our functions."""
    found = load_bundle(bundle).calibration
    options = SamplingConfig(windows_per_simulation=2, n_steps=4)
    for when, corrected in (("before", False), ("after", True)):
        model = load_bundle(bundle, calibrated=corrected)
        sums = {side: [] for side in (1, 2, 4, 8)}
        for name in found.simulations:
            held = cut_windows(model, folder / f"{name}.h5", [], options, split="validation")
            drawn = model.sample(held.conditions, held.params, n_members=3, sampling=options)
            with xr.open_dataset(folder / f"{name}.h5", engine="h5netcdf") as maps:
                box = float(maps["maps"][:, 0].mean(dtype=float))
            for side, parts in sums.items():
                shape = (16 // side, side, 16 // side, side)
                fields, truth, dmo = (
                    values.astype(float).reshape(*values.shape[:-2], *shape).mean((-3, -1))
                    for values in (
                        drawn.fields.values, held.facts.truth.values,
                        held.conditions.condition.values,
                    )
                )  # fmt: skip
                unit = box if side == 1 else dmo[:, None]
                members, wanted = np.moveaxis(fields, 1, 0) / unit, truth / unit
                spread, error = members.var(0, ddof=1), (members.mean(0) - wanted) ** 2
                parts.append((spread.mean((0, 2, 3)), error.mean((0, 2, 3))))
        for side, parts in sums.items():
            spread, error = np.mean(parts, 0)
            rows = [getattr(row, when) for row in found.spread if row.side == side]
            np.testing.assert_allclose(rows, np.sqrt(4 / 3 * spread / error), rtol=1e-4)


def test_it_is_nowhere_worse_where_it_was_fitted(bundle):
    found = load_bundle(bundle).calibration
    for name in found.names:
        rows = [row for row in found.spread if row.field == name]
        before, after = (
            np.mean([abs(np.log(getattr(row, when))) for row in rows])
            for when in ("before", "after")
        )
        assert after <= before + 0.02 * (name in found.occupied)
    share = found.occupied["stars"]
    if found.shift[2]:
        assert share.after == pytest.approx(share.truth, abs=1 / (4 * 3 * 16**2))


def test_info_shows_it(bundle, results):
    said = CliRunner().invoke(app, ["bundle", "info", str(bundle)]).output
    found = load_bundle(bundle).calibration
    assert (
        f"calibration  {found.said}".split()
        == said.split("\n")[
            next(i for i, line in enumerate(said.split("\n")) if line.startswith("calibration"))
        ].split()
    )
    assert found.measured in said
    (results / "model/seed_0/calibration.json").unlink()
    said = CliRunner().invoke(app, ["bundle", "info", str(results / "model/seed_0")]).output
    assert "calibration" not in said


def test_again_gives_the_same_file(results, folder):
    path = results / "model/seed_0/calibration.json"
    before = path.read_bytes()
    call("calibrate", results, folder)
    assert path.read_bytes() == before


def test_a_solver_that_was_found_is_calibrated_with(results, folder):
    raw = yaml.safe_load((results / "config.yaml").read_text())
    auto = {"name": "auto", "evaluations": [2, 3], "reference_evaluations": 6, "windows": 2,
            "spectrum_error": 100.0, "crps_error": 100.0}  # fmt: skip
    raw["sampling"] = {"n_members": 2, "windows_per_simulation": 2, "solver": auto}
    (results / "config.yaml").write_text(yaml.safe_dump(raw))
    assert "run `emulator tune CONFIG`" in call("calibrate", results, folder, code=1)
    call("tune", results, folder)
    call("calibrate", results, folder)
    model = load_bundle(results / "model/seed_0")
    assert model.calibration.sampling.n_steps == 2
    assert model.found.setting.n_steps == 2


# ------------------------------------------------------------------------------------ who draws


def test_python_draws_with_it_unless_told_not_to(bundle, box, results):
    options = {"centres": CENTRES, "n_members": 2}
    drawn, plain = (
        package.load(bundle, calibrated=corrected).sample(box, PARAMS, **options)
        for corrected in (True, False)
    )
    assert not np.allclose(drawn.fields, plain.fields, rtol=1e-3)
    found = load_bundle(bundle).calibration
    said = json.loads(drawn.attrs["calibration"])
    assert said == {"0": {"noise_scale": [*found.noise_scale], "shift": [*found.shift]}}
    assert "calibration" not in plain.attrs
    (results / "model/seed_0/calibration.json").unlink()
    assert package.load(results / "model").sample(box, PARAMS, **options).identical(plain)


def test_factors_of_one_and_no_shift_change_no_bit(results, box):
    bundle = results / "model/seed_0"
    change(bundle, noise_scale=[1.0] * 4, shift=[0.0] * 4)
    drawn, plain = (
        package.load(bundle, calibrated=corrected).sample(box, PARAMS, centres=CENTRES, n_members=2)
        for corrected in (True, False)
    )
    np.testing.assert_array_equal(drawn.fields, plain.fields)


def test_densities_are_those_of_the_model_as_it_was_trained(bundle, box):
    model = package.load(bundle)
    fields = model.sample(box, PARAMS, centres=CENTRES[:1], n_members=1).fields.values[:, 0]
    first, second = (
        package.load(bundle, calibrated=corrected).log_likelihood(
            fields, box, PARAMS, centres=CENTRES[:1], n_steps=2, n_probes=2
        )
        for corrected in (True, False)
    )
    assert first.identical(second)


def test_the_command_sample_does_what_the_config_says(results, folder):
    path, bundle = results / "ensembles/test/CV_0.nc", results / "model/seed_0"

    def sample():
        said = call("sample", results, folder, "--simulation", "CV_0")
        return said, xr.load_dataset(path, engine="h5netcdf")

    first, before = sample()
    assert "2 members a window drawn" in first
    assert json.loads(before.attrs["calibration"]).keys() == {"0"}
    assert "0 members a window drawn" in sample()[0]
    write_config(results, enabled=False)
    again, after = sample()
    assert "2 members a window drawn" in again
    assert "calibration.json is left out, as calibration.enabled is false" in again
    assert "calibration" not in after.attrs
    assert not np.allclose(before.fields, after.fields, rtol=1e-3)
    write_config(results)
    change(bundle, noise_scale=[1.25] * 4)
    assert "2 members a window drawn" in sample()[0]
    (bundle / "calibration.json").unlink()
    message = call("sample", results, folder, "--simulation", "CV_0", code=1)
    assert "calibration.json: expected the calibration of the model" in message
    assert "emulator calibrate CONFIG" in message


def test_members_of_a_mixture_are_corrected_as_their_model_is(bundle, folder, box):
    found = load_bundle(bundle).calibration
    models = [build_emulator(folder, seed=seed) for seed in (0, 1, 2)]
    changed = [
        model.calibrated_by(found.model_copy(update={"noise_scale": (factor,) * 4}))
        for model, factor in zip(models[:2], (0.9, 1.1), strict=True)
    ]
    mixture = Mixture({str(i): model for i, model in enumerate([*changed, models[2]])})
    drawn = mixture.sample(box, PARAMS, centres=CENTRES, n_members=6)
    said = json.loads(drawn.attrs["calibration"])
    assert {seed: one["noise_scale"][0] for seed, one in said.items()} == {"0": 0.9, "1": 1.1}
    for number, model in enumerate([*changed, models[2]]):
        alone = model.sample(box, PARAMS, centres=CENTRES, n_members=2)
        np.testing.assert_allclose(drawn.fields[:, number::3], alone.fields, rtol=1e-3)


def test_only_the_members_of_the_model_that_changed_are_drawn_anew(bundle, folder, tmp_path):
    found = load_bundle(bundle).calibration
    options = SamplingConfig(n_steps=2, n_members=2, windows_per_simulation=1)
    plain = [build_emulator(folder, seed=seed) for seed in (0, 1)]
    both = [model.calibrated_by(found) for model in plain]

    def grow(models):
        path = tmp_path / "a.nc"
        n_drawn = grow_ensemble(models, folder / "CV_0.h5", [], options, split="test", path=path)
        return n_drawn, xr.load_dataset(path, engine="h5netcdf")

    assert grow(both)[0] == 4
    assert grow(both)[0] == 0
    n_drawn, after = grow([both[0], plain[1]])
    assert n_drawn == 2
    assert json.loads(after.attrs["calibration"]).keys() == {"0"}
    assert "calibration" not in grow(plain)[1].attrs


# ----------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("calibration", "key"),
    [
        ({"members": 1}, "members"),
        ({"largest_factor": 1.0}, "largest_factor"),
        ({"largest_factor": float("nan")}, "largest_factor"),
        ({"largest_factor": float("inf")}, "largest_factor"),
        ({"windows": 0}, "windows"),
        ({"rounds": 0}, "rounds"),
        ({"factor": 2.0}, "factor"),
    ],
)
def test_a_config_that_cannot_be_fitted_is_refused(calibration, key):
    with pytest.raises(ConfigError, match=rf"calibration\.{key}"):
        parse_config({**CONFIG, "calibration": {**ASKED, **calibration}})


def test_it_is_off_unless_asked_for(results, folder):
    assert not parse_config(CONFIG).calibration.enabled
    write_config(results, enabled=False)
    message = call("calibrate", results, folder, code=1)
    assert "config.yaml:calibration.enabled: expected true, got false" in message


def test_an_empty_validation_split_is_refused(results, folder):
    splits = {"train": ["SB_0", "SB_1"], "validation": [], "test": ["CV_0"]}
    write_json(results / "splits.json", splits)
    message = call("calibrate", results, folder, code=1)
    assert "splits.json:validation: expected simulations to calibrate on, got none" in message
    assert "data.split.validation_fraction" in message


def test_a_regression_is_refused(results, folder):
    path = results / "model/seed_0/model.json"
    card = read_json(path)
    write_json(path, {**card, "training": card["training"] | {"objective": "regression"}})
    assert "expected a model that draws ensembles" in call("calibrate", results, folder, code=1)


def test_a_calibration_of_other_weights_is_refused(results):
    bundle = results / "model/seed_0"
    change(bundle, weights_sha256="0" * 64)
    with pytest.raises(
        DataError, match=r"calibration\.json: expected a calibration of the weights"
    ):
        package.load(bundle)
    with pytest.raises(DataError, match="emulator calibrate"):
        package.load(bundle)
    assert package.load(bundle, calibrated=False).calibration is None


@pytest.mark.parametrize(
    ("update", "words"),
    [
        ({"format_version": 2}, "format_version"),
        ({"noise_scale": [1.0] * 8}, r"noise_scale: expected a factor for each of the 4 .* got 8"),
        ({"noise_scale": [1.0] * 3}, "multiple of 4 factors"),
        ({"noise_scale": []}, "noise_scale"),
        ({"noise_scale": [1.0, -1.0, 1.0, 1.0]}, r"noise_scale\.1"),
        ({"noise_scale": [1.0, None, 1.0, 1.0]}, r"noise_scale\.1"),
        ({"noise_scale": [1.0, "inf", 1.0, 1.0]}, r"noise_scale\.1"),
        ({"shift": [0.0] * 3}, "shift: expected 4 numbers"),
        ({"shift": [0.0, "nan", 0.0, 0.0]}, r"shift\.1"),
        ({"fields": ["dm_hydro", "gas", "gas", "stars"]}, "fields: expected those of the network"),
        ({"occupied": {"stars": {"truth": 2.0, "before": 0.1, "after": 0.1}}}, "truth"),
        ({"more": 1}, "unknown key"),
    ],
)
def test_a_document_that_is_no_calibration_is_refused(results, update, words):
    bundle = results / "model/seed_0"
    change(bundle, **update)
    with pytest.raises(DataError, match=words) as error:
        load_bundle(bundle)
    assert "calibration.json" in str(error.value)
    assert "emulator calibrate" in str(error.value)


def test_a_damaged_calibration_is_refused_and_made_again(results, folder):
    path = results / "model/seed_0/calibration.json"
    kept = path.read_text()
    path.write_text(kept.replace('"members": 3', '"members": 4'))
    with pytest.raises(DataError, match="damaged"):
        load_bundle(path.parent)
    call("calibrate", results, folder)
    assert path.read_text() == kept


def test_weights_that_are_exported_anew_lose_it(folder, bundle, tmp_path):
    model = build_emulator(folder)
    shutil.copytree(bundle, tmp_path / "model")
    write_untrained(tmp_path / "model", model)
    assert not (tmp_path / "model/calibration.json").exists()
    assert load_bundle(tmp_path / "model").calibration is None
