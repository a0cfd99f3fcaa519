"""Examples of the documents are real: every YAML block is a config, every command exists."""

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import get_args

import numpy as np
import pytest
import typer
import xarray as xr
import yaml
from snippets import PAGES, blocks

import emulator.metrics
from emulator.cli import app
from emulator.config import DataConfig, parse_config, read_config
from emulator.fields import FIELDS, TARGETS, summands
from emulator.suites import build_suite

ROOT = Path(__file__).parents[1]
SUITES, FIELDS_PAGE, EXTENDING = (
    ROOT / f"docs/{name}.md" for name in ("your_own_suite", "fields", "extending")
)


def parameters(page):
    return [pytest.param(b, id=f"{page.stem}-{i}") for i, b in enumerate(blocks(page, "yaml"))]


EXAMPLES = parameters(SUITES)
PHYSICS = [
    p
    for name in ("redshift", "super_resolution", "thermodynamics", "volumes")
    for p in parameters(ROOT / f"docs/{name}.md")
]
ARRAYS = parameters(ROOT / "docs/arrays.md")


@pytest.mark.parametrize("block", [*EXAMPLES, *PHYSICS])
def test_every_example_is_a_config(block):
    config = parse_config(yaml.safe_load(block))
    assert parse_config(yaml.safe_load(yaml.safe_dump(config.model_dump(mode="json")))) == config
    assert build_suite(config.suite, "root").inputs(config.data, config.suite.simulations()[0])


@pytest.mark.parametrize("block", ARRAYS)
def test_every_example_of_arrays_is_a_config(block):
    config = parse_config(yaml.safe_load(block))
    assert build_suite(config.suite, "root").inputs(config.data, config.suite.simulations()[0])


@pytest.mark.parametrize("block", ARRAYS[:2])
def test_the_examples_of_arrays_are_those_that_are_shipped(block):
    """But for colours and bars."""
    told = parse_config(yaml.safe_load(block))
    shipped = read_config(ROOT / f"configs/{told.name}.yaml")
    plain = {"color": "#009E73", "power_tolerance": None}
    bare = [field.model_copy(update=plain) for field in shipped.suite.conditions]
    assert tuple(bare) == told.suite.conditions
    same = shipped.suite.model_copy(update={"conditions": told.suite.conditions})
    assert same == told.suite
    assert [f.model_copy(update=plain) for f in shipped.data.targets] == list(told.data.targets)
    assert shipped.data.split == told.data.split
    assert shipped.data.shape == told.data.shape


@pytest.mark.parametrize("block", parameters(FIELDS_PAGE))
def test_every_fragment_is_a_part_of_a_config(block):
    config = parse_config({"name": "example", **yaml.safe_load(block)})
    assert [channel.name for channel in config.channels]


def test_there_is_an_example_of_every_kind_of_existing_suite():
    kinds = {parse_config(yaml.safe_load(param.values[0])).suite.kind for param in EXAMPLES}
    assert kinds >= {"snapshots", "multifield", "windows"}


def test_paths_of_the_snapshot_example():
    suite = parse_config(yaml.safe_load(EXAMPLES[0].values[0])).suite
    paths = [str(path) for path in build_suite(suite, suite.root).inputs(DataConfig(), "CV_b")]
    assert paths == [
        "/data/mine/dmo/CV_b/snap_099.hdf5",
        "/data/mine/hydro/CV_b/snap_099.hdf5",
        "/data/mine/dmo/CV_b/fof_subhalo_tab_099.hdf5",
        "/data/mine/parameters_CV.txt",
        "data/parameters/camels_6.csv",
    ]
    assert (ROOT / paths[-1]).is_file()


def test_the_former_names_mean_what_the_new_ones_do():
    windows, multifield = (yaml.safe_load(EXAMPLES[i].values[0]) for i in (2, 1))
    former = {**windows["suite"], "kind": "samples", "samples": windows["suite"]["files"]}
    del former["files"]
    assert parse_config({**windows, "suite": former}) == parse_config(windows)
    beside = {key: value for key, value in multifield["suite"].items() if key != "maps"}
    beside |= multifield["suite"]["maps"]
    assert parse_config({**multifield, "suite": beside}) == parse_config(multifield)


def test_the_table_of_fields_is_the_codes():
    page = FIELDS_PAGE.read_text()
    for name, field in FIELDS.items():
        made = ", ".join(field.particles)
        made += f", mean of {field.mean_of}" if field.mean_of else ""
        made += f", sum of {field.sum_of}" if field.sum_of else ""
        cells = [f"`{name}`", field.unit, made, field.share or "none", f"`{field.transform}`"]
        numbers = (field.floor, field.loss_weight, field.power_tolerance, field.mass_tolerance)
        cells += ["none" if number is None else f"{number:g}" for number in numbers]
        assert f"| {' | '.join(cells)} |" in page
    assert tuple(FIELDS)[:3] == TARGETS


def test_the_fields_that_the_page_declares_are_what_it_says():
    *_, metallicity, velocity, baryons = (
        parse_config({"name": "x", **yaml.safe_load(block)})
        for block in blocks(FIELDS_PAGE, "yaml")
    )
    assert metallicity.channels[-1].field.mean_of == "GFM_Metallicity"
    assert velocity.channels[-1].transform == "asinh"
    path = build_suite(velocity.suite, "/r").config.path("gas_velocity", "/r", "LH_3")
    assert str(path) == "/r/Maps_vz_Mine_LH.npy"
    assert summands(baryons.data.targets) == ("dm_hydro", "baryons")
    (code,) = blocks(FIELDS_PAGE, "python")
    names = {}
    exec(code, names)
    assert [channel.transform for channel in names["config"].channels] == ["log_ratio", "log"]


def extensions():
    """Python blocks of docs/extending.md by the file that their first line names."""
    found = blocks(EXTENDING, "python")
    return {re.match(r"# (emulator/[a-z_/]+\.py)", code)[1]: code for code in found}


def load(monkeypatch, name):
    """A block as the module that it would be; one of an existing module stands alone."""
    dotted = name.removesuffix(".py").replace("/", ".")
    module = ModuleType(dotted)
    monkeypatch.setitem(sys.modules, dotted, module)
    exec(compile(extensions()[name], name, "exec"), module.__dict__)
    return module


def test_the_metric_of_the_page_is_found_and_computes(monkeypatch, tmp_path):
    from emulator.config import ValidationConfig
    from emulator.fields import find_fields
    from emulator.metrics import registry
    from emulator.metrics.jackknife import Jackknife

    (tmp_path / "page_peaks.py").write_text(extensions()["emulator/metrics/peaks.py"])
    monkeypatch.setattr(emulator.metrics, "__path__", [*emulator.metrics.__path__, str(tmp_path)])
    peaks = next(metric for metric in registry.discover() if metric.name == "peaks")
    truth = np.ones((2, 1, 4, 4), np.float32)
    truth[:, :, 1, 2] = [[2.0], [6.0]]
    ensemble = xr.Dataset(
        {
            "truth": (("sample", "channel", "y", "x"), truth),
            "fields": (("sample", "member", "channel", "y", "x"), 1.5 * truth[:, None]),
        },
        coords={"channel": ["gas"]},
    )
    stats = peaks.compute(SimpleNamespace(ensemble=ensemble)).expand_dims(simulation=2)
    assert float(stats["peak_truth"].isel(simulation=0, channel=0)) == 4.0
    jackknife = Jackknife(xr.DataArray(["a", "b"], dims="simulation"))
    fields = find_fields(["gas"])
    metrics = xr.Dataset(peaks.summarise(jackknife, stats, fields))
    (bar,) = peaks.bars(metrics, ValidationConfig(), fields)
    assert (bar.value, bar.met) == (1.5, False)


def test_the_baseline_of_the_page_draws_shares_of_the_training(monkeypatch, tmp_path):
    import fabricated

    from emulator.data.maps import read_maps
    from emulator.fields import find_fields
    from emulator.validation.baselines import fit_baselines, forecast_windows

    kind = load(monkeypatch, "emulator/validation/baselines/random_share.py").RandomShare
    *training, held_out = fabricated.simulations(n_train=2, n_cv=1)
    for simulation in (*training, held_out):
        fabricated.write_maps(tmp_path, simulation)
    names, fields = [simulation.name for simulation in training], find_fields(["gas", "stars"])
    fitted = fit_baselines(names, tmp_path, fields=fields, window=16, kinds=[kind])
    ensemble = fabricated.make_ensemble(held_out).sel(channel=["gas", "stars"])
    maps = read_maps(tmp_path / f"{held_out.name}.h5")
    found = forecast_windows(fitted, maps, ensemble)["random_share"]
    assert found.sizes["member"] == ensemble.sizes["member"]
    shares = (found / ensemble["condition"]).sel(channel="stars").values
    masses = [read_maps(tmp_path / f"{name}.h5").maps.sum((0, 2, 3), float) for name in names]
    known = [mass[3] / mass[0] for mass in masses]
    assert np.isclose(shares[..., None], known, rtol=1e-5).any(-1).all()
    assert len(np.unique(shares.round(6))) > 1


def test_the_solver_of_the_page_is_of_second_order(monkeypatch):
    """On a Gaussian the flow keeps ``z / sqrt(alpha^2 P + sigma^2)``."""
    import torch

    from emulator.diffusion.parameterization import Prediction
    from emulator.diffusion.process import amplitudes
    from emulator.diffusion.solvers import solve

    single = load(monkeypatch, "emulator/diffusion/solvers/single_step.py")
    options = load(monkeypatch, "emulator/config/solvers.py")
    assert options.SingleStepConfig(name="dpm++2s").name == "dpm++2s"
    power, ends = 9.0, (6.0, -6.0)

    def denoiser(z, gamma):
        alpha, sigma = amplitudes(float(gamma[0]))
        x = z * alpha * power / (alpha**2 * power + sigma**2)
        return Prediction(x=x, eps=(z - alpha * x) / sigma)

    def error(steps):
        gammas = np.linspace(*ends, steps + 1).tolist()
        start = torch.ones(1, 1, dtype=torch.float64)
        found = solve(single.SingleStep(), denoiser, start, gammas, lambda: start)
        (a0, s0), (a1, s1) = map(amplitudes, ends)
        end = np.sqrt((a1**2 * power + s1**2) / (a0**2 * power + s0**2))
        return abs(float(found) / (end * a1 * power / (a1**2 * power + s1**2)) - 1.0)

    assert error(128) < 1e-3
    assert error(64) / error(128) == pytest.approx(4.0, rel=0.1)


def test_the_suite_kind_of_the_page_reads_its_files(monkeypatch, tmp_path):
    from emulator.data.maps import read_maps
    from emulator.suites.mapmaking import project_simulation

    section = load(monkeypatch, "emulator/config/suites/stacks.py").StacksSuite
    module = load(monkeypatch, "emulator/suites/stacks.py")
    names = ["Omega_m", "sigma_8", "A_SN1", "A_AGN1", "A_SN2", "A_AGN2"]
    config = section(
        name="Mine", root=str(tmp_path), sets={"LH": 1}, parameter_names=["Name", *names],
        ranges=str(ROOT / "data/parameters/camels_6.csv"),
    )  # fmt: skip
    assert build_suite(config, tmp_path).simulations == ("LH_0",)
    (tmp_path / "parameters_LH.txt").write_text("LH_0 0.3 0.8 1 1 1 1\n")
    (tmp_path / "LH").mkdir()
    matter = np.random.default_rng(0).lognormal(23, 0.3, (3, 16, 16))
    baryons = 0.049 / 0.3 * matter
    parts = {"dm_hydro": matter - baryons, "gas": 0.9 * baryons, "stars": 0.1 * baryons}
    np.savez(tmp_path / "LH/LH_0.npz", dmo=matter, **parts)
    data = DataConfig(n_pixels=16, window=4)
    suite = module.SUITE(config, tmp_path)
    assert suite.inspect(data, "LH_0", deep=True).findings == []
    project_simulation(suite, data, "LH_0", tmp_path / "LH_0.h5")
    maps = read_maps(tmp_path / "LH_0.h5")
    np.testing.assert_allclose(maps.select(["gas"])[:, 0], parts["gas"], rtol=1e-6)
    swapped = parts | {"gas": parts["dm_hydro"], "dm_hydro": parts["gas"]}
    np.savez(tmp_path / "LH/LH_0.npz", dmo=matter, **swapped)
    assert "Fields in another order" in suite.inspect(data, "LH_0", deep=True).findings[0].message


def test_every_objective_has_the_rows_that_the_page_names():
    """And every row that the page names is a name of its file."""
    from emulator.config.names import ObjectiveName
    from emulator.cost.requests import evaluations_of_member
    from emulator.model.build import COPIES
    from emulator.model.kinds import KINDS
    from emulator.sampling.samplers import SAMPLERS
    from emulator.training.trainer import LABELS

    drawn = set(get_args(ObjectiveName))
    assert set(SAMPLERS) == drawn
    assert set(COPIES) == set(KINDS) == set(LABELS) == drawn | {"regression"}
    for name in drawn:
        config = parse_config({"name": "x"})
        training = config.training.model_copy(update={"objective": name})
        assert evaluations_of_member(config.model_copy(update={"training": training})) >= 1
    section = EXTENDING.read_text().split("## An objective")[1]
    rows = re.findall(r"^\| `(\w+)` \| `(emulator/\S+)` \|", section, re.MULTILINE)
    assert len(rows) == 7
    for name, path in rows:
        assert re.search(rf"^(def )?{name}\b", (ROOT / path).read_text(), re.MULTILINE), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_files_exist(page):
    text = page.read_text()
    commands = set(re.findall(r"^emulator ([a-z]+)", text, re.MULTILINE))
    assert commands <= set(typer.main.get_command(app).commands)
    for name in re.findall(r"`((?:configs|emulator|analysis|workflow)/[A-Za-z0-9_/.]+)`", text):
        assert (ROOT / name).exists() or "KIND" in name, name
    for name in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / name).exists(), name
    for code in blocks(page, "python"):
        compile(code, str(page), "exec")
