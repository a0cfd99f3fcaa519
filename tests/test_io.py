"""Files are whole or absent; manifests notice what is gone."""

import json
import os
import re
import subprocess
import sys

import h5py
import numpy as np
import pytest
import xarray as xr

from emulator.io import (
    DataError,
    atomic_path,
    open_hdf5,
    read_dataset,
    read_json,
    require_attribute,
    write_dataset,
    write_json,
)
from emulator.manifest import check_manifest, write_manifest
from emulator.metadata import fingerprint, provenance
from emulator.progress import Progress, format_seconds, track


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with atomic_path(path) as partial:
            partial.write_text("half")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_killed_writer_leaves_no_final_name(tmp_path):
    code = (
        "import os, signal, sys\n"
        "from emulator.io import atomic_path\n"
        "with atomic_path(sys.argv[1]) as partial:\n"
        "    partial.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "out" / "a.h5"
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -9
    assert not path.exists()
    (orphan,) = path.parent.iterdir()
    # another writer that is alive (this process's parent) keeps its file
    alive = orphan.with_name(re.sub(r"-\d+-", f"-{os.getppid()}-", orphan.name))
    alive.write_text("in the making")
    with atomic_path(path) as partial:
        partial.write_text("whole")
    assert path.read_text() == "whole"
    assert sorted(path.parent.iterdir()) == sorted([alive, path])


def test_json_refuses_nan_and_names_damage(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"value": float("nan")})
    assert not path.exists()
    path.write_text('{"a": 1')
    with pytest.raises(DataError, match=r"a\.json: expected valid JSON"):
        read_json(path)


def test_hdf5_faults_are_named(tmp_path):
    path = tmp_path / "a.h5"
    with pytest.raises(DataError, match="no such file"), open_hdf5(path):
        pass
    with h5py.File(path, "w") as handle:
        handle["x"] = np.zeros(1000)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match="truncated"), open_hdf5(path):
        pass
    with pytest.raises(DataError, match="ends in its checksum, got none: it was truncated"):
        read_dataset(path)
    with pytest.raises(DataError, match="attribute 'b', got only a"):
        require_attribute({"a": 1}, "b", "file")


def test_datasets_come_back(tmp_path):
    dataset = xr.Dataset({"a": ("x", np.arange(3.0), {"units": "Mpc/h"})}, attrs={"n": 1})
    write_dataset(dataset, tmp_path / "a.nc")
    xr.testing.assert_identical(read_dataset(tmp_path / "a.nc"), dataset)


def test_manifest_notices_missing_and_changed_files(tmp_path):
    files = [tmp_path / name for name in "ab"]
    for file in files:
        file.write_text("text")
    manifest = tmp_path / "m.json"
    write_manifest(manifest, files)
    check_manifest(manifest)
    files[0].write_text("longer text")
    with pytest.raises(DataError, match="got 11 bytes"):
        check_manifest(manifest)
    files[0].unlink()
    with pytest.raises(DataError, match=r"m\.json.*no such file"):
        check_manifest(manifest)
    with pytest.raises(DataError, match="missing"):
        write_manifest(manifest, files)


def test_provenance_is_reproducible_and_readable():
    one, again = (provenance("fit", seed=1, files=["a"]) for _ in range(2))
    assert one == again
    assert json.loads(one["provenance"]) == {"seed": 1, "files": ["a"]}
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1}) != fingerprint({"a": 2})


def test_progress_says_what_is_left(capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    progress = Progress("train", 10, start=2, interval=5.0)
    clock[0] = 8.0  # 4 of the 8 remaining steps in 8 s: 2 s a step
    progress.advance(4, note="loss 0.5")
    line = capsys.readouterr().err.strip()
    assert line == "train: 6/10 (60%), 0:08 elapsed, 0:08 left  loss 0.5"
    progress.advance(1)  # too early for another line
    assert capsys.readouterr().err == ""
    assert list(track("abc", "x", 3)) == ["a", "b", "c"]
    assert "x: 3/3 (100%)" in capsys.readouterr().err
    Progress("nothing", 0).advance(0)
    assert "nothing: 0/0 (100%), " in capsys.readouterr().err


def test_times_are_readable():
    assert [format_seconds(s) for s in (5, 65, 3725)] == ["0:05", "1:05", "1:02:05"]
