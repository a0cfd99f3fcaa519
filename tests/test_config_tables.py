"""Tables of ranges that configs name in ``data/parameters``, in folders without it."""

from pathlib import Path

import pytest

from emulator.config import parse_config
from emulator.config.suites.tables import SHIPPED
from emulator.readers.parameters import read_ranges

MULTIFIELD = {
    "kind": "multifield", "name": "Mine", "root": "/maps", "sets": {"LH": 4},
    "parameter_names": ["Omega_m", "sigma_8"],
}  # fmt: skip
WINDOWS = {
    "kind": "windows", "name": "Mine", "root": "/windows", "sets": {"SB": 4},
    "parameter_names": ["Omega0", "sigma8"],
}  # fmt: skip


def ranges_of(suite):
    data = {"window": 32} if suite["kind"] == "multifield" else {"window": 32, "n_pixels": 128}
    model = {"params": suite["parameter_names"]}
    config = parse_config({"name": "mine", "suite": suite, "data": data, "model": model})
    return config.suite.path("ranges", suite["root"], f"{next(iter(suite['sets']))}_0")


@pytest.mark.parametrize(
    ("suite", "name", "omega"),
    [(MULTIFIELD, "camels_6.csv", "Omega_m"), (WINDOWS, "camels_tng_35.csv", "Omega0")],
)
def test_the_default_is_that_of_the_package_outside_of_a_checkout(
    tmp_path, monkeypatch, suite, name, omega
):
    monkeypatch.chdir(tmp_path)
    path = ranges_of(suite)
    assert path == SHIPPED / name
    found = read_ranges(path)[omega]
    assert (found.min, found.max) == (0.1, 0.5)


def test_a_table_of_the_working_directory_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "data/parameters/camels_6.csv"
    own.parent.mkdir(parents=True)
    own.write_text("ParamName,MinVal,MaxVal,FiducialVal,LogFlag\nOmega_m,0.2,0.4,0.3,0\n")
    assert ranges_of(MULTIFIELD).resolve() == own


@pytest.mark.parametrize("ranges", ["./data/parameters/mine.csv", "./camels_6.csv"])
def test_a_table_that_does_not_come_with_the_package_keeps_its_path(tmp_path, monkeypatch, ranges):
    monkeypatch.chdir(tmp_path)
    assert ranges_of({**MULTIFIELD, "ranges": ranges}) == Path(ranges)
