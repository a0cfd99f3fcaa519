"""Known sums of painted boxes on the command line: scaled before they are written, and kept so."""

import json

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits
from typer.testing import CliRunner
from untrained import build_emulator, write_untrained

import emulator as package
from emulator.cli import app
from emulator.fields import TARGETS
from emulator.io import DataError, EmulatorError, read_dataset
from emulator.sampling.painting.folder import identity, require_identity

pytestmark = pytest.mark.filterwarnings(
    "ignore:Consolidated metadata",
    "ignore:Failed to open Zarr store with consolidated",
    "ignore:The data type .FixedLengthUTF32",
)

OUTPUTS = ["", ".zarr", ".nc", ".fits"]
QUICK = {"overlap": 0.05, "sampling": {"n_steps": 2}}


@pytest.fixture(scope="module")
def bundle(folder, tmp_path_factory):
    """A model on disk that draws something possible."""
    model, path = build_emulator(folder, zero=True), tmp_path_factory.mktemp("bundle")
    write_untrained(path, model)
    return path


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A config of few steps."""
    path = tmp_path_factory.mktemp("config") / "quick.yaml"
    path.write_text("name: quick\nsampling: {n_steps: 2}\n")
    return path


@pytest.fixture(scope="module")
def paint(bundle, source, quick):
    """The command, of few windows and steps."""

    def run(output, *words):
        given = (bundle, source, "--output", output, "--overlap", 0.05, "--config", quick, *words)
        return CliRunner().invoke(app, ["paint", *map(str, given)])

    return run


@pytest.fixture(scope="module")
def source(folder):
    return folder / "CV_0.h5"


@pytest.fixture(scope="module")
def model(bundle):
    return package.load(bundle)


@pytest.fixture(scope="module")
def free(model, source):
    """Three members, as Python draws them without sums."""
    return model.paint(source, n_members=3, **QUICK)


@pytest.fixture(scope="module")
def sums(free):
    """Masses that no member holds [Msun/h]."""
    mean = free["mass"].mean("member")
    return {"total": 1.1 * float(mean.sum()), "gas": 0.7 * float(mean.sel(channel="gas"))}


@pytest.fixture(scope="module")
def held(model, source, sums):
    return model.paint(source, n_members=3, **QUICK, constraints=sums)


def options(sums):
    return [word for name, value in sums.items() for word in ("--constraint", f"{name}={value}")]


def read(path):
    """Members and factors of any output, in the order of their numbers."""
    if path.suffix == ".zarr":
        return xr.open_zarr(path).sortby("member").load()
    if path.suffix == ".nc":
        return read_dataset(path)
    if path.suffix == ".fits":
        with fits.open(path) as found:
            header = found[0].header
            fields = np.stack([np.array(found[name.upper()].data) for name in TARGETS], axis=1)
        factors = json.loads(header["SUMFACT"])
        return xr.Dataset(
            {
                "fields": (("member", "channel", "y", "x"), fields.astype(np.float32)),
                "sum_factor": (("sum", "member"), np.array(list(factors.values()))),
            },
            {
                "member": json.loads(header["MEMBERS"]),
                "sum": list(factors),
                "channel": list(TARGETS),
            },
            json.loads(header["RECORD"]),
        )
    files = sorted(path.glob("member_*.nc"))
    return xr.concat([read_dataset(file) for file in files], "member", data_vars="minimal")


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("suffix", OUTPUTS)
def test_the_members_of_the_command_are_those_of_python(paint, free, sums, held, tmp_path, suffix):
    """Of several jobs, which name the sums in another order, and in files."""
    path, (of_gas, of_all) = tmp_path / f"box{suffix}", (tmp_path / "gas.npy", tmp_path / "all.txt")
    np.save(of_gas, sums["gas"])
    of_all.write_text(f"{sums['total']!r}\n")
    in_files = options({"gas": of_gas, "total": of_all})
    first = paint(path, "--members", 1, "--first-member", 2, *in_files)
    assert first.exit_code == 0, first.output
    rest = paint(path, "--members", 3, *options(sums))
    assert rest.exit_code == 0, rest.output
    assert "2 members painted, 1 were there" in rest.output
    found = read(path)
    np.testing.assert_array_equal(found["fields"], held["fields"])
    np.testing.assert_array_equal(found["sum_factor"], held["sum_factor"])
    assert found["sum_factor"]["sum"].values.tolist() == ["total", "gas"]
    assert found.attrs["constraints"] == held.attrs["constraints"]
    if suffix != ".fits":
        for name in ("mass", "total_over_dmo", "baryons_over_cosmic"):
            np.testing.assert_array_equal(found[name], held[name])
        assert found["sum_factor"].attrs == held["sum_factor"].attrs

    mass = found["fields"].astype(float).sum(("y", "x"))
    np.testing.assert_allclose(mass.sum("channel"), sums["total"], rtol=1e-7)
    np.testing.assert_allclose(mass.sel(channel="gas"), sums["gas"], rtol=1e-7)
    for channel in TARGETS:
        factor = found["sum_factor"].sel(sum="gas" if channel == "gas" else "total")
        scaled = free["fields"].sel(channel=channel) * factor.values[:, None, None]
        np.testing.assert_allclose(found["fields"].sel(channel=channel), scaled, rtol=1e-6)
    assert len(np.unique(found["sum_factor"].sel(sum="gas"))) == 3  # one for each member


@pytest.mark.parametrize("suffix", OUTPUTS)
def test_members_of_another_constraint_are_refused(paint, sums, tmp_path, suffix):
    path, others = tmp_path / f"box{suffix}", [{}, {"total": sums["total"]}]
    others.append({**sums, "gas": np.nextafter(sums["gas"], 0.0).item()})
    assert paint(path, "--members", 1, *options(sums)).exit_code == 0
    before = content(tmp_path)
    for other in others:
        result = paint(path, "--members", 2, *options(other))
        assert isinstance(result.exception, DataError)
        assert "one that differs in constraints. Choose another --output" in str(result.exception)
    assert content(tmp_path) == before
    unheld = tmp_path / f"free{suffix}"
    assert paint(unheld, "--members", 1).exit_code == 0
    result = paint(unheld, "--members", 1, *options(sums))
    assert "differs in constraints" in str(result.exception)


def test_replace_paints_members_of_another_constraint_again(paint, sums, tmp_path):
    path = tmp_path / "box"
    paint(path, "--members", 1)
    result = paint(path, "--members", 1, "--replace", *options(sums))
    assert "1 members painted, 0 were there" in result.output
    total = read(path)["fields"].astype(float).sum()
    assert float(total) == pytest.approx(sums["total"], rel=1e-7)


def test_members_from_before_there_were_constraints_are_gone_on_with(free, held, tmp_path):
    """A FITS file keeps what it was compared by, then without this key."""
    older = identity(free)
    assert older.pop("constraints") is None
    require_identity(older, identity(free), tmp_path)
    with pytest.raises(DataError, match="differs in constraints"):
        require_identity(older, identity(held), tmp_path)


@pytest.mark.parametrize("suffix", OUTPUTS)
def test_a_summary_is_of_members_that_hold_the_sums(paint, sums, held, tmp_path, suffix):
    path = tmp_path / f"box{suffix}"
    done = paint(path, "--members", 3, "--only-summary", *options(sums))
    assert done.exit_code == 0, done.output
    if suffix == ".fits":
        with fits.open(path) as found:
            mean = np.stack([found[f"{name.upper()}_MEAN"].data for name in TARGETS])
            said = json.loads(found[0].header["RECORD"])["constraints"]
    else:
        file = path if suffix else path / "summary.nc"
        found = xr.open_zarr(file) if suffix == ".zarr" else read_dataset(file)
        mean, said = found["mean"].values, found.attrs["constraints"]
        assert "sum" not in found.dims
    np.testing.assert_allclose(mean, held["fields"].mean("member"), rtol=1e-5)
    assert mean.sum(dtype=float) == pytest.approx(sums["total"], rel=1e-6)
    assert json.loads(said) == {name: [value] for name, value in sums.items()}


def test_pasted_halos_hold_sums(paint, model, source, tmp_path):
    loose = {"mode": "halos", "mass_threshold": 1e11, "r_in": 0.5, "r_out": 1.0}
    wanted = 1.05 * float(model.paint(source, **QUICK, **loose)["mass"].sum())
    words = [f"--{name.replace('_', '-')}={value}" for name, value in loose.items()]
    done = paint(tmp_path / "box", "--members", 1, *words, *options({"total": wanted}))
    assert done.exit_code == 0, done.output
    held = model.paint(source, **QUICK, **loose, constraints={"total": wanted})
    np.testing.assert_array_equal(read(tmp_path / "box")["fields"], held["fields"])
    assert float(held["mass"].sum()) == pytest.approx(wanted, rel=1e-7)


# ---------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["dust=1e12"], "masses in Msun/h of total, dm_hydro, gas, stars, got one of dust"),
        (["total=-1e12"], "constraints: total: expected a positive mass, got -1e+12"),
        (["total=0"], "expected a positive mass, got 0"),
        (["gas=nan"], "constraints: gas: expected a positive mass, got nan"),
        (["gas=inf"], "constraints: gas: expected a positive mass, got inf"),
        (["total=much"], "--constraint total: expected a mass in Msun/h, or a file of it"),
        (["total=much"], "got 'much', which is no number and no file"),
        (["total"], "--constraint: expected NAME=VALUE, each name once, got 'total'"),
        (["gas=1e12", "gas=2e12"], "each name once, got 'gas=1e12'"),
        (["total={}/three.npy"], "total: expected one number, got shape (3,)"),
        (["total={}/three.txt"], "total: expected one number, got shape (3,)"),
        (["total={}/empty.txt"], "expected values, got an empty array"),
        (["total={}/words.txt"], "a mass in Msun/h, for --constraint total, got could not convert"),
        (["total={}/words.npy"], "a mass in Msun/h, for --constraint total, got"),
        (["total={}/one.csv"], "in a file .npy or .txt, got .csv"),
        (["total={}"], "which is no number and no file"),
        (["total=1e12", "gas=2e12"], "total must be larger than the sum of gas"),
    ],
)
def test_constraints_that_cannot_be_are_refused(paint, tmp_path, given, said):
    files = tmp_path / "files"
    files.mkdir()
    np.save(files / "three.npy", np.full(3, 1e15))
    for name, text in (
        ("three.txt", "1e15 1e15 1e15"), ("empty.txt", ""), ("words.txt", "a lot"),
        ("words.npy", "a lot"), ("one.csv", "1e15"),
    ):  # fmt: skip
        (files / name).write_text(text)
    words = [word for each in given for word in ("--constraint", each.format(files))]
    result = paint(tmp_path / "box", *words)
    assert isinstance(result.exception, EmulatorError), result.output
    assert said in str(result.exception)
    assert not (tmp_path / "box").exists()


def test_slabs_do_not_hold_sums(paint, sums, tmp_path):
    result = paint(tmp_path / "box", "--slabs", *options(sums))
    assert isinstance(result.exception, EmulatorError)
    assert str(result.exception) == ("constraints: of one map: paint slabs one by one to hold sums")


def test_a_mass_of_another_unit_is_refused_or_warned_of(paint, sums, tmp_path):
    other = options({"total": sums["total"] / 1e10})
    result = paint(tmp_path / "box", "--members", 1, *other)
    assert isinstance(result.exception, EmulatorError)
    assert "total: members would be scaled by" in str(result.exception)
    with pytest.warns(UserWarning, match="members would be scaled by"):
        paint(tmp_path / "box", "--members", 1, "--out-of-range", "warn", *other)
    total = read(tmp_path / "box")["fields"].astype(float).sum()
    assert float(total) == pytest.approx(sums["total"] / 1e10, rel=1e-7)


def test_a_member_without_mass_is_named(paint, tmp_path):
    """Heavier halos than there are: nothing is pasted, and there are no stars."""
    words = ["--mode", "halos", "--mass-threshold", 1e17, "--members", 1, "--first-member", 3]
    result = paint(tmp_path / "box", *words, *options({"stars": 1e12}))
    assert "stars: member 3 of sample 0 holds no mass" in str(result.exception)
