"""`solver: auto` as a user meets it: found by a command, kept in the bundle, used by who draws.

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
from emulator.config import SamplingConfig
from emulator.io import DataError, EmulatorError, read_json, write_json
from emulator.model.found_solver import FoundSolver, read_found
from emulator.sampling.growth import grow_ensemble
from emulator.sampling.loading import load_bundle
from emulator.sampling.mixture import Mixture

TRAINED = Path(__file__).parents[1] / "regression/trained"
AUTO = {
    "name": "auto", "evaluations": [2, 4], "reference_evaluations": 8, "windows": 4,
    "spectrum_error": 100.0, "crps_error": 100.0,
}  # fmt: skip
CENTRES = [(8, 8), (40, 3)]
CONFIG = {
    "name": "tiny",
    "data": {"n_pixels": 64, "window": 16, "context_factors": [2, 4]},
    "model": OF_TRAINED,
    "validation": {"k_min_hmpc": 3.0, "k_max_hmpc": 12.9},  # the shells 2 to 6 of a window
}


def write_config(folder, auto=AUTO, **sampling):
    """Config file of a results folder, whose solver is to be found unless another is named."""
    options = {"n_members": 2, "windows_per_simulation": 2, "solver": auto, **sampling}
    (folder / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "sampling": options}))


def call(command, root, maps, *more, code=0):
    arguments = [command, root / "config.yaml", "--maps", maps, "--results", root, *more]
    done = CliRunner().invoke(app, list(map(str, arguments)))
    if code:
        assert isinstance(done.exception, EmulatorError), done.output
        return str(done.exception)
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    return done.output


@pytest.fixture(scope="module")
def tuned(folder, tmp_path_factory):
    """Results with a tuned bundle, what the command said, and the bundle's bytes before it."""
    root = tmp_path_factory.mktemp("results")
    shutil.copytree(TRAINED, root / "model/seed_0")
    splits = {"train": ["SB_0"], "validation": ["SB_1", "BE_0"], "test": ["CV_0"]}
    write_json(root / "splits.json", splits)
    write_config(root)
    before = {path.name: path.read_bytes() for path in (root / "model/seed_0").iterdir()}
    return root, call("tune", root, folder), before


@pytest.fixture
def results(tuned, tmp_path):
    """A copy, to be changed."""
    return shutil.copytree(tuned[0], tmp_path / "results")


@pytest.fixture(scope="module")
def bundle(tuned):
    return tuned[0] / "model/seed_0"


def change(bundle, **update):
    """Another finding in the file, sealed as it should be."""
    value = read_json(bundle / "solver.json")
    write_json(bundle / "solver.json", {**value, **update})


def take_row(bundle, number):
    """Let another row of the table be the one that was found."""
    value = read_json(bundle / "solver.json")
    change(bundle, sampling=value["sampling"] | value["table"][number]["setting"])


# --------------------------------------------------------------------------------- the command


def test_the_command_finds_one_and_leaves_the_model_as_it_is(tuned, bundle):
    _, said, before = tuned
    found = read_found(bundle, read_json(bundle / "model.json")["weights_sha256"])
    assert len(found.table) == 6
    assert found.within_budget
    assert found.setting.n_steps == 2  # of a budget that everything is in, the fewest
    assert (found.simulations, found.windows, found.members) == (("SB_1", "BE_0"), 4, 2)
    assert said.count("->") == 1
    assert all(row.setting.label in said for row in found.table)
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == {
        **before, "solver.json": (bundle / "solver.json").read_bytes(),
    }  # fmt: skip


def test_what_was_measured_is_the_difference_to_the_reference(bundle, folder):
    """Drawn by the model itself, window by window, and compared without our functions."""
    from scoringrules import crps_ensemble

    from emulator.sampling.held_out import cut_windows

    model, found = load_bundle(bundle), load_bundle(bundle).found
    options = SamplingConfig(windows_per_simulation=2)
    stats = {}
    for setting in (found.reference, found.table[1].setting):
        chosen = SamplingConfig(**dict(setting))
        powers, scores = [], []
        for name in found.simulations:
            held = cut_windows(model, folder / f"{name}.h5", [], options, split="validation")
            drawn = model.sample(held.conditions, held.params, n_members=2, sampling=chosen)
            with xr.open_dataset(folder / f"{name}.h5", engine="h5netcdf") as maps:
                unit = float(maps["maps"][:, 0].mean(dtype=float))
            fields, truth = drawn.fields.values / unit, held.facts.truth.values / unit
            modes = np.abs(np.fft.fft2(fields.astype(float))) ** 2
            shell = np.rint(np.hypot(*np.meshgrid(*2 * [np.fft.fftfreq(16, 1 / 16)])))
            inside = [modes[..., shell == s].mean(-1).mean((0, 1)) for s in range(2, 7)]
            powers.append(inside)
            members = np.moveaxis(fields, 1, -1).astype(float)
            scores.append(crps_ensemble(truth.astype(float), members, estimator="fair"))
        stats[setting] = np.mean(powers, 0), np.concatenate(scores).mean((0, 2, 3))
    (power, crps), (power_ref, crps_ref) = stats[found.table[1].setting], stats[found.reference]
    row = found.table[1]
    np.testing.assert_allclose(
        list(row.spectrum_error.values()), np.abs(power / power_ref - 1).max(0), rtol=1e-3
    )
    np.testing.assert_allclose(
        list(row.crps_change.values()), crps / crps_ref - 1, rtol=1e-3, atol=1e-6
    )


def test_info_shows_the_finding_and_the_table(bundle, results):
    said = CliRunner().invoke(app, ["bundle", "info", str(bundle)]).output
    assert "solver       " in said
    assert said.count("->") == 1
    assert "2 evaluations" in said
    (results / "model/seed_0/solver.json").unlink()
    said = CliRunner().invoke(app, ["bundle", "info", str(results / "model/seed_0")]).output
    assert "unipc3, 20 evaluations: the default" in said


def test_a_budget_that_nothing_meets_is_said_aloud(results, folder, bundle):
    write_config(results, AUTO | {"spectrum_error": 1e-9})
    said = call("tune", results, folder)
    assert "WARNING: no candidate is within the budget" in said
    assert "going on from" in said  # nothing is drawn again for another budget
    found = load_bundle(results / "model/seed_0").found
    assert not found.within_budget
    errors = [row.largest_spectrum_error for row in found.table]
    assert found.row.largest_spectrum_error == min(errors)
    times = [row.ms_per_member for row in load_bundle(bundle).found.table]
    assert [row.ms_per_member for row in found.table] == times
    info = CliRunner().invoke(app, ["bundle", "info", str(results / "model/seed_0")]).output
    assert "NOT WITHIN THE BUDGET" in info


def test_a_solver_that_is_named_is_not_looked_for(results, folder):
    write_config(results, "unipc3")
    assert "unipc3 is named" in call("tune", results, folder, code=1)


def test_a_regression_has_no_solver(results, folder):
    path = results / "model/seed_0/model.json"
    card = read_json(path)
    write_json(path, {**card, "training": card["training"] | {"objective": "regression"}})
    assert "there is none to find" in call("tune", results, folder, code=1)


# ------------------------------------------------------------------------------------ who draws


def test_python_draws_with_what_was_found(bundle, box):
    model = package.load(bundle)
    options = {"centres": CENTRES, "n_members": 2}
    drawn = model.sample(box, PARAMS, **options)
    setting = model.found.setting
    named = model.sample(box, PARAMS, sampling=SamplingConfig(**dict(setting)), **options)
    auto = model.sample(box, PARAMS, sampling=SamplingConfig(solver="auto"), **options)
    np.testing.assert_array_equal(drawn.fields, named.fields)
    np.testing.assert_array_equal(auto.fields, named.fields)
    for one in (drawn, auto):
        assert (one.attrs["solver"], one.attrs["n_steps"]) == (setting.solver.name, 2)
        assert json.loads(one.attrs["sampling"])["n_steps"] == 2
        said = {json.loads(text)["n_steps"] for text in one["setting"].values}
        assert said == {2}
    assert "setting" not in named.coords


def test_a_bundle_without_a_finding_draws_as_ever(results, box):
    (results / "model/seed_0/solver.json").unlink()
    model = package.load(results / "model")
    options = {"centres": CENTRES[:1], "n_members": 1}
    drawn = model.sample(box, PARAMS, **options)
    named = model.sample(box, PARAMS, sampling=SamplingConfig(), **options)
    assert drawn.identical(named)
    assert (drawn.attrs["solver"], drawn.attrs["n_steps"]) == ("unipc3", 20)
    with pytest.raises(EmulatorError, match="run `emulator tune CONFIG`"):
        model.sample(box, PARAMS, sampling=SamplingConfig(solver="auto"), **options)


def test_the_command_sample_draws_anew_when_another_is_found(results, folder):
    path, bundle = results / "ensembles/test/CV_0.nc", results / "model/seed_0"

    def sample():
        said = call("sample", results, folder, "--simulation", "CV_0")
        return said, xr.load_dataset(path, engine="h5netcdf")

    first, before = sample()
    assert "2 members a window drawn" in first
    assert before.attrs["n_steps"] == 2
    assert "0 members a window drawn" in sample()[0]
    take_row(bundle, 1)
    again, after = sample()
    assert "2 members a window drawn" in again
    assert (after.attrs["solver"], after.attrs["n_steps"]) == ("unipc3", 4)
    assert not np.allclose(before.fields, after.fields, rtol=1e-3)
    (bundle / "solver.json").unlink()
    assert "run `emulator tune CONFIG`" in call("sample", results, folder, code=1)


def test_a_finding_is_for_the_options_it_was_made_with(results, folder, bundle, box):
    write_config(results, gamma_end=-6.0)
    said = call("sample", results, folder, "--simulation", "CV_0", code=1)
    assert "gamma_end -6.0, found with -8.0" in said
    call("tune", results, folder)
    call("sample", results, folder, "--simulation", "CV_0")
    model = load_bundle(results / "model/seed_0")
    assert model.options_for(None).gamma_end == -6.0
    named = SamplingConfig(gamma_end=-6.0, **dict(model.found.setting))
    drawn, expected = (
        model.sample(box, PARAMS, centres=CENTRES[:1], n_members=1, sampling=options).fields
        for options in (None, named)
    )
    np.testing.assert_array_equal(drawn, expected)


# ----------------------------------------------------------------------------------- what is read


def test_a_finding_of_other_weights_is_refused(results):
    bundle = results / "model/seed_0"
    change(bundle, weights_sha256="0" * 64)
    with pytest.raises(DataError, match=r"solver\.json: expected a solver found for the weights"):
        package.load(bundle)
    with pytest.raises(DataError, match="emulator tune"):
        package.load(bundle)


@pytest.mark.parametrize(
    ("update", "words"),
    [
        ({"table": []}, "no row of the table was measured"),
        ({"format_version": 2}, "format_version"),
        ({"spectrum_budget": -1.0}, "spectrum_budget"),
        ({"sampling": {"solver": "auto"}}, "got auto"),
        ({"sampling": {"solver": "ab2", "n_steps": 3}}, "no row of the table was measured"),
        ({"more": 1}, "unknown key"),
    ],
)
def test_a_document_that_is_no_finding_is_refused(results, update, words):
    bundle = results / "model/seed_0"
    change(bundle, **update)
    with pytest.raises(DataError, match=words) as error:
        load_bundle(bundle)
    assert "solver.json" in str(error.value)


def test_a_damaged_finding_is_refused_and_found_again(results, folder):
    path = results / "model/seed_0/solver.json"
    kept = path.read_text()
    path.write_text(kept.replace('"n_steps": 2', '"n_steps": 3'))
    with pytest.raises(DataError, match="damaged"):
        load_bundle(path.parent)
    call("tune", results, folder)
    assert path.read_text() == kept


def test_weights_that_are_exported_anew_lose_it(folder, bundle, tmp_path):
    model = build_emulator(folder)
    shutil.copytree(bundle, tmp_path / "model")
    write_untrained(tmp_path / "model", model)
    assert not (tmp_path / "model/solver.json").exists()
    assert load_bundle(tmp_path / "model").found is None


# -------------------------------------------------------------------------------- several models


@pytest.fixture(scope="module")
def two(bundle, folder):
    """Untrained models of two seeds, for which different settings were found."""
    table = load_bundle(bundle).found.table
    value = read_json(bundle / "solver.json")
    models = []
    for seed, row in ((0, table[0]), (1, table[3])):
        model = build_emulator(folder, seed=seed)
        sampling = value["sampling"] | row.setting.model_dump(mode="json")
        weights = model.card.weights_sha256
        found = {**value, "weights_sha256": weights, "sampling": sampling}
        model.found = FoundSolver.model_validate(found)
        models.append(model)
    return models


def test_members_of_a_mixture_are_drawn_as_was_found_for_their_model(two, box):
    mixture = Mixture({str(model.seed): model for model in two})
    drawn = mixture.sample(box, PARAMS, centres=CENTRES, n_members=4)
    assert drawn.attrs["solver"] == "unipc3; dpm++2m"
    assert drawn.attrs["n_steps"] == "2; 4"
    said = json.loads(drawn.attrs["sampling"])
    assert {seed: s["n_steps"] for seed, s in said["settings"].items()} == {"0": 2, "1": 4}
    assert "solver" not in said
    for number, model in enumerate(two):
        options = SamplingConfig(**dict(model.found.setting))
        alone = model.sample(box, PARAMS, centres=CENTRES, n_members=2, sampling=options)
        np.testing.assert_allclose(drawn.fields[:, number::2], alone.fields, rtol=1e-3)


def test_a_mixture_of_which_one_has_none_draws_as_ever(two, folder, box):
    mixture = Mixture({"0": two[0], "1": build_emulator(folder, seed=1)})
    drawn = mixture.sample(box, PARAMS, centres=CENTRES[:1], n_members=2)
    assert (drawn.attrs["solver"], drawn.attrs["n_steps"]) == ("unipc3", 20)
    assert "setting" not in drawn.coords


def test_members_of_a_named_solver_are_kept_where_the_same_is_found(two, folder, tmp_path):
    named = SamplingConfig(**dict(two[0].found.setting), n_members=2, windows_per_simulation=1)
    auto = SamplingConfig(solver="auto", n_members=3, windows_per_simulation=1)
    path, maps = tmp_path / "a.nc", folder / "CV_0.h5"
    assert grow_ensemble(two[:1], maps, [], named, split="test", path=path) == 2
    assert grow_ensemble(two[:1], maps, [], auto, split="test", path=path) == 1
    drawn = xr.load_dataset(path, engine="h5netcdf")
    assert len(set(drawn["setting"].values)) == 1
    assert (drawn.attrs["solver"], drawn.attrs["n_steps"]) == ("unipc3", 2)


def test_only_the_members_of_the_model_with_another_finding_are_drawn_anew(two, folder, tmp_path):
    options = SamplingConfig(solver="auto", n_members=2, windows_per_simulation=1)

    def grow(models):
        path = tmp_path / "a.nc"
        n_drawn = grow_ensemble(models, folder / "CV_0.h5", [], options, split="test", path=path)
        return n_drawn, xr.load_dataset(path, engine="h5netcdf")

    assert grow(two)[0] == 4
    n_drawn, same = grow(two)
    assert (n_drawn, same.attrs["solver"]) == (0, "unipc3; dpm++2m")
    other = build_emulator(folder, seed=1)
    weights = {"weights_sha256": other.card.weights_sha256}
    other.found = two[0].found.model_copy(update=weights)
    n_drawn, after = grow([two[0], other])
    assert n_drawn == 2
    assert (after.attrs["solver"], after.attrs["n_steps"]) == ("unipc3", 2)
    assert json.loads(after.attrs["sampling"])["solver"] == {"name": "unipc3"}
    np.testing.assert_array_equal(after.fields[:, :2], same.fields[:, :2])
