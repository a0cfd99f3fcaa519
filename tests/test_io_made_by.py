"""A stage that is asked for too early says which one comes before it."""

import pytest
from typer.testing import CliRunner

from emulator.cli import app
from emulator.io import DataError


@pytest.mark.parametrize(
    ("command", "file", "before"),
    [
        ("fit", "data/processed/early/maps/SB_0.h5", "project"),
        ("train", "results/early/normalisation.json", "fit"),
        ("sample", "results/early/splits.json", "fit"),
        ("report", "results/early/metrics.nc", "validate"),
    ],
)
def test_the_stage_before_is_named(tmp_path, monkeypatch, command, file, before):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "early.yaml").write_text("name: early\n")
    error = CliRunner().invoke(app, [command, "early.yaml"]).exception
    assert isinstance(error, DataError)
    said = str(error)
    assert said.startswith(f"{file}: expected ")
    assert f"got no such file. Run `emulator {before} CONFIG` first" in said


def test_files_of_others_are_left_alone(tmp_path):
    from emulator.io import read_text

    with pytest.raises(DataError) as error:
        read_text(tmp_path / "mine.csv", "a text table")
    assert str(error.value).endswith("got no such file")
