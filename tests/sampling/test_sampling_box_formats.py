"""Painted boxes as Zarr, NetCDF and FITS: the members of a folder, kept as they are finished."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from astropy.io import fits
from astropy.wcs import WCS
from typer.testing import CliRunner
from untrained import PARAMS, build_emulator, write_untrained

from emulator.cli import app
from emulator.config import SamplingConfig
from emulator.io import DataError, EmulatorError, locked, read_dataset
from emulator.manifest import check_manifest
from emulator.sampling.mixture import Mixture
from emulator.sampling.painting import gathered, outputs, store
from emulator.sampling.painting.fits import write_fits
from emulator.sampling.painting.painter import Painter

pytestmark = pytest.mark.filterwarnings(
    "ignore:Consolidated metadata",
    "ignore:Failed to open Zarr store with consolidated",
    "ignore:The data type .FixedLengthUTF32",
)

FEW = SamplingConfig(n_steps=2)
SUFFIXES = [".zarr", ".nc", ".fits"]


@pytest.fixture(scope="module")
def bundle(folder, tmp_path_factory):
    """A model on disk that draws something possible."""
    model, path = build_emulator(folder, zero=True), tmp_path_factory.mktemp("bundle")
    write_untrained(path, model)
    return path


@pytest.fixture(scope="module")
def painter(emulator, folder):
    return Painter(emulator, folder / "CV_0.h5", sampling=FEW)


@pytest.fixture(scope="module")
def wanted(emulator, folder):
    """Four members, as Python returns them."""
    return emulator.paint(folder / "CV_0.h5", n_members=4, sampling=FEW)


QUICK = ("--overlap", "0.05")
"""Few windows."""


def paint(*words):
    quick = [] if "--overlap" in words else QUICK
    return CliRunner().invoke(app, ["paint", *map(str, words), *quick])


def read(path):
    """Members ``(member, channel, y, x)`` of any output, sorted by their numbers."""
    if path.suffix == ".zarr":
        return xr.open_zarr(path).sortby("member").load()
    if path.suffix == ".nc":
        return read_dataset(path)
    if path.suffix == ".fits":
        with fits.open(path) as found:
            found.verify("exception")
            channels = [hdu for hdu in found[1:] if hdu.name != "CONDITION"]
            values = np.stack([np.array(hdu.data, np.float32) for hdu in channels], axis=1)
            members = json.loads(found[0].header["MEMBERS"])
        return xr.Dataset(
            {"fields": (("member", "channel", "y", "x"), values)}, {"member": members}
        )
    files = sorted(path.glob("member_*.nc"))
    return xr.concat([read_dataset(file) for file in files], "member", data_vars="minimal")


# ------------------------------------------------------------------------------------ members


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_members_are_those_of_python_in_any_order_of_jobs(painter, wanted, tmp_path, suffix):
    path = tmp_path / f"box{suffix}"
    assert outputs.paint_into(painter, [3, 1], path) == 2
    assert outputs.paint_into(painter, range(4), path) == 2
    before = read(path)
    assert outputs.paint_into(painter, range(4), path) == 0
    for found in (before, read(path)):
        assert found["member"].values.tolist() == [0, 1, 2, 3]
        np.testing.assert_array_equal(found["fields"], wanted["fields"])
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES[:2])
def test_a_file_says_what_the_dataset_of_python_says(painter, wanted, tmp_path, suffix):
    path = tmp_path / f"box{suffix}"
    outputs.paint_into(painter, [2, 3], path)
    outputs.paint_into(painter, [0, 1], path)
    found = read(path)
    assert {name: v.dims for name, v in found.variables.items()} == {
        name: v.dims for name, v in wanted.variables.items()
    }
    for name in wanted.variables:
        np.testing.assert_array_equal(found[name].values, wanted[name].values)
        assert found[name].attrs == wanted[name].attrs, name
    assert {k: np.asarray(v).tolist() for k, v in found.attrs.items()} == {
        k: np.asarray(v).tolist() for k, v in wanted.attrs.items()
    }


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_members_of_a_mixture_share_a_file(folder, box, tmp_path, suffix):
    mixture = Mixture({str(seed): build_emulator(folder, seed=seed) for seed in (0, 1)})
    painter = Painter(mixture, box, PARAMS, sampling=FEW)
    path = tmp_path / f"box{suffix}"
    for members in ([1], [2, 0], range(4)):
        outputs.paint_into(painter, members, path)
    drawn = mixture.paint(box, PARAMS, n_members=4, sampling=FEW)
    found = read(path)
    np.testing.assert_array_equal(found["fields"], drawn["fields"])
    if suffix != ".fits":
        assert found["model_seed"].values.tolist() == [0, 1, 0, 1]
        facts = json.loads(found.attrs["provenance"])
        assert sorted(facts["weights"]) == ["weights of seed 0", "weights of seed 1"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_command_writes_what_a_folder_holds(folder, bundle, tmp_path, suffix):
    source, path = folder / "CV_0.h5", tmp_path / f"box{suffix}"
    paint(bundle, source, "--output", tmp_path / "folder", "--members", 2)
    done = paint(
        bundle, source, "--output", path, "--members", 2, "--manifest", tmp_path / "list.json"
    )
    assert done.exit_code == 0, done.output
    assert f"{path}: 2 members painted, 0 were there" in done.output
    check_manifest(tmp_path / "list.json")
    np.testing.assert_array_equal(read(path)["fields"], read(tmp_path / "folder")["fields"])
    again = paint(bundle, source, "--output", path, "--members", 1, "--first-member", 2)
    assert "1 members painted, 0 were there" in again.output
    assert read(path).sizes["member"] == 3


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seed", 1], "differs in sampling"),
        (["--projection", "y"], "differs in box or noise"),
        (["--overlap", 0.25], "differs in overlap"),
    ],
)
def test_another_painting_is_refused_and_nothing_is_touched(
    folder, bundle, tmp_path, suffix, words, said
):
    given = [bundle, folder / "CV_0.h5", "--output", tmp_path / f"box{suffix}", "--members", 1]
    assert paint(*given).exit_code == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    result = paint(*given, *words)
    assert isinstance(result.exception, DataError)
    assert said in str(result.exception)
    assert "Choose another --output" in str(result.exception)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_jobs_that_run_at_once_share_a_file(folder, bundle, tmp_path, suffix):
    """Two processes, with members that overlap: all of them are there, each once."""
    source, path = folder / "CV_0.h5", tmp_path / f"box{suffix}"
    given = [sys.executable, "-m", "emulator", "paint", bundle, source, "--output", path, *QUICK]
    jobs = [
        subprocess.Popen(
            [*map(str, given), "--members", "3", "--first-member", str(first)],
            cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True,
        )
        for first in (0, 2)
    ]  # fmt: skip
    for job in jobs:
        _, said = job.communicate(timeout=300)
        assert job.returncode == 0, said
    found = read(path)
    assert found["member"].values.tolist() == list(range(5))
    paint(bundle, source, "--output", tmp_path / "one", "--members", 5)
    np.testing.assert_array_equal(found["fields"], read(tmp_path / "one")["fields"])
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name, "one"]


# -------------------------------------------------------------------------------- interruptions


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_finished_survives_an_interruption(painter, wanted, tmp_path, monkeypatch, suffix):
    original, path = Painter.draw, tmp_path / f"box{suffix}"

    def dying(self, member, progress=None):
        if member == 2:
            raise KeyboardInterrupt
        return original(self, member, progress)

    with monkeypatch.context() as patch:
        patch.setattr(Painter, "draw", dying)
        with pytest.raises(KeyboardInterrupt):
            outputs.paint_into(painter, range(4), path)
    left = read(path) if suffix == ".zarr" else read(gathered.parts_of(path))
    np.testing.assert_array_equal(left["fields"], wanted["fields"][:2])
    assert outputs.paint_into(painter, range(4), path) == 2
    np.testing.assert_array_equal(read(path)["fields"], wanted["fields"])
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("step", ["resize", "write", "attributes", "consolidate"])
def test_a_store_whose_writer_was_killed_is_whole(painter, wanted, tmp_path, monkeypatch, step):
    """At any step of adding a member: readers see it whole, or not at all."""
    path = tmp_path / "box.zarr"
    store.paint_store(painter, [0, 1], path)
    owner, name = {
        "resize": (zarr.Array, "resize"),
        "write": (zarr.Array, "__setitem__"),
        "attributes": (zarr.Group, "attrs"),
        "consolidate": (zarr, "consolidate_metadata"),
    }[step]
    original, calls = getattr(owner, name), []

    def dying(*arguments, **options):
        calls.append(name)
        if len(calls) == {"resize": 2, "write": 2}.get(step, 1):
            raise SystemExit
        return original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, property(dying) if step == "attributes" else dying)
        with pytest.raises(SystemExit):
            store.paint_store(painter, [3], path)
    found, n_whole = read(path), 3 if step == "consolidate" else 2
    assert found["member"].values.tolist() == [0, 1, 3][:n_whole]
    np.testing.assert_array_equal(found["fields"], wanted["fields"][[0, 1, 3][:n_whole]])
    assert store.paint_store(painter, range(4), path) == 4 - n_whole
    np.testing.assert_array_equal(read(path)["fields"], wanted["fields"])


LIMITED = """
import resource, sys
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from emulator.cli import main
main()
"""


@pytest.mark.parametrize("suffix", ["", *SUFFIXES])
@pytest.mark.slow
def test_a_full_disk_is_one_message_and_what_is_finished_stays(folder, bundle, tmp_path, suffix):
    """No file may grow beyond a limit: that of the gathered file, or of the next member."""
    source, path = folder / "CV_0.h5", tmp_path / f"box{suffix}"
    gathers = suffix in (".nc", ".fits")
    if not gathers:
        assert paint(bundle, source, "--output", path, "--members", 2).exit_code == 0
    # a member takes 48 KiB in one file, 16 KiB a channel
    limit = 120_000 if gathers else 4_000
    given = ["paint", bundle, source, "--output", path, "--members", 4, *QUICK]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), *map(str, given)],
        capture_output=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    message = done.stderr.splitlines()[-1]
    assert message.startswith("error: ")
    assert "expected room to write the file" in message
    assert "Free some disk space and go on" in message
    assert "Traceback" not in done.stderr
    left = gathered.parts_of(path) if gathers else path
    assert read(left).sizes["member"] == (4 if gathers else 2)
    assert np.isfinite(read(left)["fields"]).all()
    assert not gathers or not path.exists()
    again = paint(*given[1:])
    assert again.exit_code == 0, again.output
    assert f"{0 if gathers else 2} members painted" in again.output
    assert read(path).sizes["member"] == 4


def test_a_lock_lets_one_process_in_at_a_time(tmp_path):
    code = (
        "import sys, time; from emulator.io import locked\n"
        "with locked(sys.argv[1]):\n"
        "    print('in', flush=True); sys.stdin.read()\n"
    )
    path = tmp_path / "x.zarr"
    command = [sys.executable, "-c", code, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as first:
        assert first.stdout.readline() == "in\n"
        with subprocess.Popen(command, **pipes) as second:
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(1.0)
            first.kill()  # the lock of a process ends with it
            assert second.stdout.readline() == "in\n"
            second.stdin.close()
            assert second.wait(10) == 0
    with locked(path):
        assert [each.name for each in tmp_path.iterdir()] == [".x.zarr.lock"]
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------------------- summaries


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_summary_is_one_file_of_the_format(folder, bundle, wanted, tmp_path, suffix):
    given = [bundle, folder / "CV_0.h5", "--members", 3]
    path = tmp_path / f"summary{suffix}"
    done = paint(*given, "--output", path, "--only-summary")
    assert done.exit_code == 0, done.output
    paint(*given, "--output", tmp_path / "all")
    fields = read(tmp_path / "all")["fields"]
    mean, std = fields.mean("member"), fields.std("member", ddof=1)
    if suffix == ".fits":
        with fits.open(path) as found:
            assert found[0].header["NMEMBERS"] == 3
            for number, name in enumerate(("DM_HYDRO", "GAS", "STARS")):
                np.testing.assert_allclose(found[f"{name}_MEAN"].data, mean[number], rtol=1e-5)
                np.testing.assert_allclose(found[f"{name}_STD"].data, std[number], rtol=1e-4)
    else:
        found = xr.open_zarr(path) if suffix == ".zarr" else read_dataset(path)
        np.testing.assert_allclose(found["mean"], mean, rtol=1e-5)
        np.testing.assert_allclose(found["std"], std, rtol=1e-4)
        assert found.attrs["n_members"] == 3
    again = paint(*given, "--output", path, "--only-summary")
    assert "Remove it, or choose another --output" in str(again.exception)
    members = paint(*given, "--output", path)
    assert isinstance(members.exception, DataError)
    assert "expected members of a painted box, got something else" in str(members.exception)


# ------------------------------------------------------------------------------------------ FITS


def test_the_axes_of_fits_are_comoving_lengths(wanted, tmp_path):
    write_fits(wanted, tmp_path / "box.fits")
    with fits.open(tmp_path / "box.fits") as found:
        found.verify("exception")
        assert [hdu.name for hdu in found[1:]] == ["DM_HYDRO", "GAS", "STARS", "CONDITION"]
        for hdu in found[1:]:
            header = hdu.header
            assert (header["BUNIT"], header["CUNIT1"]) == ("Msun/h per pixel", "Mpc/h")
            pixels = np.arange(64)
            axes = WCS(header).pixel_to_world_values(*[pixels] * header["NAXIS"])
            np.testing.assert_allclose(axes[0], wanted["x"])
            np.testing.assert_allclose(axes[1], wanted["y"])
            assert (header["SEED"], header["PIXEL"], header["DEPTH"]) == (0, 0.2, 12.8)
            said = {header[f"PNAME{i}"]: header[f"PVAL{i}"] for i in (1, 2)}
            assert said == pytest.approx(PARAMS)
        np.testing.assert_array_equal(axes := found["GAS"].data, wanted["fields"][:, 1])
        assert axes.shape == (4, 64, 64)
        np.testing.assert_array_equal(found["CONDITION"].data, wanted["condition"])
        record = json.loads(found[0].header["RECORD"])
        assert json.loads(record["sampling"])["n_steps"] == 2


def test_what_is_no_painted_box_is_no_fits(wanted, tmp_path):
    for wrong in (wanted.drop_vars("fields"), wanted.isel(member=0)):
        with pytest.raises(EmulatorError, match=r"expected a painted box, fields \(member"):
            write_fits(wrong, tmp_path / "box.fits")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------------------- refusals


def test_outputs_that_cannot_be_are_refused_before_anything_is_read(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.nc").mkdir()
    (tmp_path / "box.zarr").write_text("x")
    (tmp_path / "run.2").mkdir()
    for name, said in (
        ("box.h5", r"expected a folder \(no suffix\), or a file .zarr, .fits, .nc, got .h5"),
        ("box.npz", r"got .npz"),
        ("file", r"expected a folder, to be written, got a file of that name"),
        ("box.zarr", r"expected a folder, to be written, got a file of that name"),
        ("folder.nc", r"expected a file, to be written, got a folder of that name"),
    ):
        with pytest.raises(EmulatorError, match=said):
            outputs.require_output(tmp_path / name)
        result = paint(tmp_path / "no model", "no map", "--output", tmp_path / name)
        assert isinstance(result.exception, EmulatorError)
        assert str(tmp_path / name) in str(result.exception)
    replace = paint("no model", "no map", "--output", tmp_path / "x.nc", "--replace")
    assert "--replace: expected a folder as --output" in str(replace.exception)
    outputs.require_output(tmp_path / "run.2")  # a folder that is there may have any name
    outputs.require_output(tmp_path / "new")


@pytest.mark.parametrize(("suffix", "package"), [(".zarr", "zarr"), (".fits", "astropy")])
def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch, suffix, package):
    from emulator.io import extras

    found = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == package else found(name))
    with pytest.raises(EmulatorError, match=rf"package {package}.*emulator-pipeline\[formats\]"):
        outputs.require_output(tmp_path / f"box{suffix}")


def test_files_of_others_are_refused(painter, tmp_path):
    xr.Dataset({"a": ("x", [1.0])}).to_zarr(tmp_path / "a.zarr")
    (tmp_path / "b.zarr").mkdir()
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    fits.PrimaryHDU(np.ones((2, 2))).writeto(tmp_path / "a.fits")
    (tmp_path / "b.fits").write_text("no FITS")
    for name, said in (
        ("a.zarr", "expected members of a painted box, got something else"),
        ("b.zarr", "expected a Zarr store, got a folder without its metadata"),
        ("a.nc", "expected a file that ends in its checksum"),
        ("a.fits", "expected members of a painted box, got something else"),
        ("b.fits", "expected a readable FITS file"),
    ):
        with pytest.raises(DataError, match=said):
            outputs.paint_into(painter, [0], tmp_path / name)


# ---------------------------------------------------------------------------------- plain xarray


def test_what_python_returns_can_be_written_by_xarray_itself(wanted, tmp_path):
    wanted.to_netcdf(tmp_path / "box.nc", engine="h5netcdf")
    wanted.to_zarr(tmp_path / "box.zarr")
    for found in (
        xr.open_dataset(tmp_path / "box.nc", engine="h5netcdf"),
        xr.open_zarr(tmp_path / "box.zarr"),
    ):
        np.testing.assert_array_equal(found["fields"], wanted["fields"])
        assert found["x"].attrs["units"] == "Mpc/h"
        found.close()


def test_numbers_have_units_and_everything_a_name(emulator, folder, wanted, painter, box):
    from emulator.data.cutouts import extract
    from emulator.data.maps import Maps

    cut = extract(
        Maps.from_dmo(box, [2, 4]), 0, (8, 8), window=16, context_factors=[2, 4], species=()
    )
    sample = emulator.sample(
        cut.condition, PARAMS, large_scale=cut.large_scale, n_members=2, sampling=FEW
    )
    response = emulator.response(box, PARAMS, vary={"A_SN1": [0.02]}, n_members=2, sampling=FEW)
    one = store.summarise(painter, [0, 1])
    mixture = Mixture({str(seed): build_emulator(folder, seed=seed) for seed in (0, 1)})
    several = mixture.sample(
        cut.condition, PARAMS, large_scale=cut.large_scale, n_members=2, sampling=FEW
    )
    for found in (wanted, sample, response, one, several):
        assert found.attrs["Conventions"] == "CF-1.11"
        for name, variable in found.variables.items():
            assert variable.attrs["long_name"], name
            assert ("units" in variable.attrs) == (variable.dtype.kind in "biuf"), name
    assert sample["x"].attrs["units"] == wanted["y"].attrs["units"] == "Mpc/h"
    np.testing.assert_allclose(sample["x"], (np.arange(16) + 0.5) * 0.2)
    assert one["std"].attrs["long_name"] != one["mean"].attrs["long_name"]
    assert response["power"].attrs["units"] == "(Mpc/h)^2 (Msun/h per pixel)^2"
    assert response["mass"].attrs["units"] == "Msun/h per pixel"
    assert response["power_response"].attrs["units"] == "1"
    assert response["k"].attrs["units"] == "h/Mpc"
