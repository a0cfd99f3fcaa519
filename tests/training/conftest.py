"""Maps that the tests of training share."""

import fabricated
import pytest


@pytest.fixture(scope="session")
def maps_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    for simulation in fabricated.simulations(n_train=2, n_cv=1):
        fabricated.write_maps(folder, simulation)
    return folder
