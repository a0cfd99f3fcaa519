"""What `emulator validate` leaves beside the weights, and who draws with it; pages and lines."""

import json
import re
import shutil
from pathlib import Path

import fabricated
import numpy as np
import pytest
import yaml
from tiny import OF_TRAINED
from typer.testing import CliRunner
from untrained import PARAMS

import emulator as package
from emulator.cli import app
from emulator.config import SamplingConfig
from emulator.io import DataError, EmulatorError, read_dataset, read_json, write_dataset, write_json
from emulator.metadata import commit
from emulator.model.bundle import read_bundle, write_bundle
from emulator.model.calibration import Calibration, Spread
from emulator.model.found_solver import FoundSolver, Measured
from emulator.model.page import read_page
from emulator.model.validated import Validated, read_validated
from emulator.sampling.loading import load_bundle
from emulator.sampling.mixture import Mixture

ROOT = Path(__file__).parents[2]
TRAINED = ROOT / "tests/regression/trained"
SAMPLING = {
    "n_members": 4, "windows_per_simulation": 2, "solver": "ddim", "n_steps": 3, "gamma_end": -7.0,
}  # fmt: skip
CONFIG = {
    "name": "tiny",
    "data": {"n_pixels": 64, "window": 16, "context_factors": [2, 4]},
    "model": OF_TRAINED,
    "sampling": SAMPLING,
    "validation": {"k_min_hmpc": 3.0, "k_max_hmpc": 12.9},
    "regression": {"max_steps": 0},
}


def call(root, command, *more, code=0):
    where = [root / "config.yaml", "--maps", root / "maps", "--results", root]
    done = CliRunner().invoke(app, list(map(str, [command, *where, *more])))
    if code:
        assert isinstance(done.exception, EmulatorError), done.output
        return str(done.exception)
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    return done.output


def write_config(root, **update):
    (root / "config.yaml").write_text(yaml.safe_dump(CONFIG | update))


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Results of a bundle that was drawn from and judged."""
    root = tmp_path_factory.mktemp("results")
    for simulation in fabricated.simulations(n_train=2, n_cv=2):
        fabricated.write_maps(root / "maps", simulation)
    shutil.copytree(TRAINED, root / "model/seed_0")
    splits = {"train": ["SB_0", "SB_2"], "validation": ["SB_1"], "test": ["CV_0", "CV_1"]}
    write_json(root / "splits.json", splits)
    write_config(root)
    call(root, "sample")
    call(root, "validate")
    return root


@pytest.fixture
def results(judged, tmp_path):
    """A copy, to be changed."""
    return shutil.copytree(judged, tmp_path / "results")


@pytest.fixture(scope="module")
def bundle(judged):
    return judged / "model/seed_0"


@pytest.fixture(scope="module")
def box(judged):
    return read_dataset(judged / "maps/CV_0.h5")["maps"].sel(species="dmo")[0].values


def write_other(folder, seed=1):
    """A bundle that was trained alike, with other weights."""
    card, network = read_bundle(TRAINED)
    raw, ema = (
        {name: value + by for name, value in network.state_dict().items()} for by in (0.01, 0.02)
    )
    changed = card.model_copy(update={"training": card.training | {"seed": seed}})
    write_bundle(folder, changed, raw=raw, ema=ema, history="")


def verdict_of(bundle):
    return read_validated(bundle, read_json(bundle / "model.json")["weights_sha256"])


# -------------------------------------------------------------------------------- what is noted


def test_the_verdict_is_that_of_the_acceptance_table(judged, bundle):
    found, table = verdict_of(bundle), read_json(judged / "acceptance.json")
    assert len(found.bars) == len(table["bars"]) == table["met"] + table["missed"]
    assert found.met == table["met"]
    for bar, row in zip(found.bars, table["bars"], strict=True):
        said = bar.model_dump(mode="json")
        assert said == {name: row.get(name) for name in said}
    assert found.said.startswith(f"{table['met']} of {len(table['bars'])} bars met (2 held-out")
    assert (found.simulations, found.runs, found.members) == (("CV_0", "CV_1"), 2, 4)
    assert (found.windows, found.models, found.split) == (2, 1, "test")


def test_settings_are_those_that_members_were_drawn_with(bundle):
    found = verdict_of(bundle)
    assert found.calibration is None
    asked = SamplingConfig.model_validate(SAMPLING)
    assert found.sampling == asked


def test_hashes_follow_what_was_judged(results):
    before = verdict_of(results / "model/seed_0")
    assert before.data.keys() == {"ensembles", "maps", "splits"}
    call(results, "validate")
    assert verdict_of(results / "model/seed_0") == before
    path = results / "maps/CV_1.h5"
    write_dataset(read_dataset(path).assign_attrs(note="other"), path)
    call(results, "validate")
    after = verdict_of(results / "model/seed_0").data
    assert {key for key in after if after[key] != before.data[key]} == {"maps"}


def test_the_commit_is_that_of_the_checkout(bundle):
    said = verdict_of(bundle).commit
    assert said == commit()
    if (ROOT / ".git").exists():
        assert re.fullmatch(r"[0-9a-f]{40}(-changed)?", said)


def test_a_bundle_that_did_not_draw_them_keeps_no_verdict(results, tmp_path):
    other = tmp_path / "other/seed_1"
    write_other(other)
    call(results, "validate", "--model", other, "--model", results / "model")
    assert not (other / "validated.json").exists()
    assert "Not judged" in (other / "README.md").read_text()
    assert verdict_of(results / "model/seed_0") is not None


def test_members_of_unlike_settings_are_no_verdict_on_either(results):
    path = results / "ensembles/test/CV_1.nc"
    ensemble = read_dataset(path)
    said = json.loads(ensemble.attrs["sampling"]) | {"gamma_end": -6.0}
    write_dataset(ensemble.assign_attrs(sampling=json.dumps(said)), path)
    call(results, "validate")
    assert not (results / "model/seed_0/validated.json").exists()


def test_a_missed_bar_that_is_enforced_is_noted_all_the_same(results):
    (results / "model/seed_0/validated.json").unlink()
    write_config(results, validation=CONFIG["validation"] | {"enforce": True})
    assert "bars are missed" in call(results, "validate", code=1)
    assert verdict_of(results / "model/seed_0").met < len(verdict_of(results / "model/seed_0").bars)


def test_results_without_a_model_are_judged_as_ever(results):
    shutil.rmtree(results / "model")
    call(results, "validate")
    assert read_json(results / "acceptance.json")["n_members"] == 4


# ---------------------------------------------------------------------------------- who uses it


def test_python_draws_as_was_judged_unless_it_is_told(judged, bundle, box):
    model = package.load(judged / "model", device="cpu")
    drawn = model.sample(box, PARAMS, centres=[(8, 8)], n_members=2)
    said = json.loads(drawn.attrs["sampling"])
    assert (said["solver"]["name"], said["n_steps"], said["gamma_end"]) == ("ddim", 3, -7.0)
    same = model.sample(
        box, PARAMS, centres=[(8, 8)], n_members=2,
        sampling=SamplingConfig.model_validate(SAMPLING),
    )  # fmt: skip
    assert np.array_equal(drawn["fields"], same["fields"])
    told = model.sample(
        box, PARAMS, centres=[(8, 8)], n_members=2, sampling=SamplingConfig(n_steps=2)
    )
    assert told.attrs["n_steps"] == 2
    painted = model.paint(box, PARAMS)
    assert (painted.attrs["solver"], painted.attrs["n_steps"]) == ("ddim", 3)


def test_without_the_file_a_bundle_draws_as_ever(results, box):
    (results / "model/seed_0/validated.json").unlink()
    model = package.load(results / "model", device="cpu")
    drawn = model.sample(box, PARAMS, centres=[(8, 8)], n_members=1)
    assert (drawn.attrs["solver"], drawn.attrs["n_steps"]) == ("unipc3", 20)


def calibration_of(bundle):
    sha = read_json(bundle / "model.json")["weights_sha256"]
    return Calibration(
        weights_sha256=sha, fields=("dm_hydro", "gas", "stars", "stars"),
        noise_scale=(1.1, 1.2, 1.3, 1.3), shift=(0.0, 0.0, 0.0, 0.0), sampling=SamplingConfig(),
        spread=(Spread(field="gas", side=1, before=0.9, after=1.0),), occupied={},
        simulations=("SB_1",), windows=4, members=4,
    )  # fmt: skip


def test_a_calibration_is_drawn_with_where_it_was_judged(results):
    bundle = results / "model/seed_0"
    verdict = verdict_of(bundle)
    calibration_of(bundle).write(bundle)
    # nothing was judged with it
    assert not (bundle / "validated.json").exists()
    assert load_bundle(bundle).calibration is not None
    verdict.write(bundle)
    assert load_bundle(bundle).calibration is None
    assert load_bundle(bundle, calibrated=True).calibration is not None
    shutil.rmtree(results / "ensembles")
    write_config(results, calibration={"enabled": True})
    call(results, "sample")
    call(results, "validate")
    assert verdict_of(bundle).calibration is not None
    assert load_bundle(bundle).calibration is not None
    assert load_bundle(bundle, calibrated=False).calibration is None
    assert "calibrated" in repr(load_bundle(bundle))


def test_a_solver_that_is_found_later_removes_the_verdict(results):
    bundle = results / "model/seed_0"
    setting = {"solver": "heun", "n_steps": 4, "spacing": "gamma"}
    FoundSolver(
        weights_sha256=read_json(bundle / "model.json")["weights_sha256"],
        sampling=SamplingConfig.model_validate(setting), within_budget=True, spectrum_budget=0.01,
        crps_budget=0.01, k_min_hmpc=1, k_max_hmpc=2, reference=setting, simulations=("SB_1",),
        windows=4, members=4, device="cpu",
        table=(Measured(setting=setting, ms_per_member=1.0, spectrum_error={"gas": 0.001},
                        crps_change={"gas": 0.0}),),
    ).write(bundle)  # fmt: skip
    assert not (bundle / "validated.json").exists()
    assert load_bundle(bundle).options_for(None).solver.name == "heun"


def test_models_of_a_mixture_that_were_not_all_judged_draw_with_the_default(results, bundle):
    models = {"0": load_bundle(bundle)}
    write_other(results / "seed_1")
    both = Mixture(models | {"1": load_bundle(results / "seed_1")})
    assert both.options_for(None) == SamplingConfig()
    assert models["0"].options_for(None).n_steps == 3
    assert "seeds 0, 1" in repr(both)


def test_weights_that_are_exported_anew_lose_verdict_and_page(results):
    bundle = results / "model/seed_0"
    write_other(bundle, seed=0)
    assert {path.name for path in bundle.iterdir()} == {
        "model.json", "weights.safetensors", "history.csv",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("update", "words"),
    [
        ({"weights_sha256": "0" * 64}, "a verdict on the weights beside it"),
        ({"format_version": 2}, "format_version"),
        ({"simulations": []}, "simulations"),
        ({"sampling": {"solver": "auto"}}, "must name a solver"),
        ({"data": {"maps": "short"}}, "data"),
        ({"more": 1}, "more"),
    ],
)
def test_a_verdict_on_others_or_none_is_refused(results, update, words):
    path = results / "model/seed_0/validated.json"
    write_json(path, read_json(path) | update)
    with pytest.raises(DataError, match=words) as error:
        load_bundle(path.parent)
    assert "validated.json" in str(error.value)
    assert "emulator validate" in str(error.value)


def test_a_verdict_that_was_edited_is_refused(results):
    path = results / "model/seed_0/validated.json"
    path.write_text(path.read_text().replace('"missed"', '"met"', 1))
    with pytest.raises(DataError, match=r"validated\.json.*the text that was written"):
        load_bundle(path.parent)


# ------------------------------------------------------------------------------ what people read


def numbers(text):
    return [float(word) for word in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", text)]


def rows_of(page, head):
    """Cells of the table that follows a heading."""
    table = page.split(head)[1].split("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_number_of_the_page_is_that_of_the_json(bundle):
    page, card = (bundle / "README.md").read_text(), read_json(bundle / "model.json")
    verdict = read_json(bundle / "validated.json")
    front = yaml.safe_load(page.split("---\n")[1])
    (result,) = front["model-index"][0]["results"]
    defined = [bar for bar in verdict["bars"] if bar["value"] is not None]
    assert [row["value"] for row in result["metrics"]] == [bar["value"] for bar in defined]
    assert [row["name"] for row in result["metrics"]] == [bar["name"] for bar in defined]
    scores = rows_of(page, "## Scores")
    assert len(scores) == len(verdict["bars"])
    for cells, bar in zip(scores, verdict["bars"], strict=True):
        assert (cells[0], cells[3]) == (bar["name"], bar["verdict"])
        value, asked = cells[1], numbers(cells[2])
        assert value == "undefined" if bar["value"] is None else (
            float(value) == pytest.approx(bar["value"], rel=1e-5)
        )  # fmt: skip
        wanted = bar["threshold"] if isinstance(bar["threshold"], list) else [bar["threshold"]]
        assert asked == pytest.approx(wanted)
    params = card["normalisation"]["params"]
    for cells, (name, scale) in zip(rows_of(page, "## From what"), params.items(), strict=True):
        assert cells[0] == name
        found = [float(cell) for cell in cells[1:4]]
        assert found == pytest.approx([scale[k] for k in ("minimum", "maximum", "fiducial")])
    grid = card["grid"]
    said = re.search(
        r"(\d+) pixels of ([\d.]+) Mpc/h, ([\d.]+) Mpc/h deep, redshift ([\d.]+)", page
    )
    assert [float(text) for text in said.groups()] == pytest.approx(
        [grid[key] for key in ("window", "pixel_mpch", "depth_mpch", "redshift")]
    )
    training = dict(rows_of(page, "## Training"))
    assert float(training["steps"]) == card["metrics"]["step"]
    assert int(training["windows a step"]) == card["training"]["batch_size"]
    assert float(training["validation loss"]) == pytest.approx(card["metrics"]["val_loss"])
    assert int(training["weights"]) == sum(
        tensor.numel() for tensor in read_bundle(bundle)[1].state_dict().values()
    )
    assert card["weights_sha256"] in training["SHA-256 of the weights"]
    met = sum(bar["verdict"] == "met" for bar in verdict["bars"])
    assert f"{met} of {len(verdict['bars'])} bars met" in page
    assert "Drawn with ddim, 3 evaluations a member (as it was judged)" in page


def test_the_page_says_what_is_missed_and_how_to_use_it(bundle):
    page = (bundle / "README.md").read_text()
    missed = [bar.name for bar in verdict_of(bundle).bars if bar.verdict == "missed"]
    assert missed
    assert f"Bars that it misses: {'; '.join(missed)}." in page
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = {}
    source = code.replace('"this/folder"', f'"{bundle}"').replace("box = ...", "box = BOX")
    box = read_dataset(bundle.parents[1] / "maps/CV_0.h5")["maps"].sel(species="dmo")[0].values
    names["BOX"] = box
    source = source.replace("(64, 64)", "(32, 32)").replace("n_members=16", "n_members=1")
    exec(source.replace("n_members=4", "n_members=1"), names)
    assert names["painted"].sizes["y"] == 64


def test_the_licence_is_that_of_the_package(bundle):
    front = yaml.safe_load((bundle / "README.md").read_text().split("---\n")[1])
    project = (ROOT / "pyproject.toml").read_text()
    assert front["license"] == re.search(r'^license = "(.+)"', project, re.MULTILINE)[1].lower()
    assert front["library_name"] == re.search(r'^name = "(.+)"', project, re.MULTILINE)[1]


def test_the_command_writes_the_page_or_prints_it(results):
    page = results / "model/seed_0/README.md"
    before = page.read_text()
    page.unlink()
    done = CliRunner().invoke(app, ["bundle", "card", str(results / "model")])
    assert done.output.strip() == str(page)
    assert page.read_text() == before == read_page(page.parent)
    page.unlink()
    printed = CliRunner().invoke(app, ["bundle", "card", "--stdout", str(results / "model")])
    assert printed.output.strip() == before.strip()
    assert not page.exists()
    (results / "model/seed_0/validated.json").unlink()
    again = CliRunner().invoke(app, ["bundle", "card", "--stdout", str(results / "model")]).output
    assert "Not judged" in again
    assert "model-index" not in again


def test_a_model_says_what_it_is_in_python_and_by_the_command(judged, bundle):
    said = repr(package.load(judged / "model", device="cpu"))
    card = read_json(bundle / "model.json")
    assert said.startswith("<Emulator ")
    assert said.endswith(">")
    assert len(said.splitlines()) == 7
    for words in (
        "conditional diffusion model, seed 0", "dm_hydro, gas, stars [Msun/h per pixel]",
        "16 pixels of 0.2 Mpc/h, 12.8 Mpc/h deep, redshift 0", "context x2, x4",
        "Omega_m 0 to 1, A_SN1 0 to 1", f"{card['metrics']['step']:.0f} steps of 32 windows",
        "ddim, 3 evaluations a member (as it was judged)", verdict_of(bundle).said,
    ):  # fmt: skip
        assert words in said
    shown = CliRunner().invoke(app, ["bundle", "show", str(judged / "model")]).output
    assert shown.strip() == said
    info = CliRunner().invoke(app, ["bundle", "info", str(judged / "model")]).output
    assert verdict_of(bundle).said in info
    assert "ddim, 3 evaluations: as it was judged" in info


def test_of_many_parameters_the_first_are_said():
    from emulator.model.lines import say_parameters
    from emulator.model.normalisation import ParameterScale

    scale = ParameterScale(minimum=1, maximum=3, fiducial=2, log=True)
    said = say_parameters({f"p{i}": scale for i in range(35)})
    assert said.startswith("p0 1 to 3 (log), p1")
    assert said.endswith("p5 1 to 3 (log), and 29 more")
    assert say_parameters({}) == "none"


def test_a_verdict_that_is_read_again_is_the_same(bundle):
    found = verdict_of(bundle)
    assert Validated.model_validate(found.model_dump(mode="json")) == found
