"""Maps and an untrained emulator that the tests of sampling share."""

import pytest
from untrained import build_emulator, write_folder

from emulator.data.maps import read_maps


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("maps"))


@pytest.fixture(scope="session")
def emulator(folder):
    return build_emulator(folder)


@pytest.fixture(scope="session")
def box(folder):
    return read_maps(folder / "CV_0.h5").select(["dmo"])[0, 0]
