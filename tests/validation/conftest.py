import fabricated
import pytest

from emulator.config import ValidationConfig

CONFIG = ValidationConfig(k_min_hmpc=2.0, k_max_hmpc=12.0)


def pytest_collection_modifyitems(items):
    """Whole suites come last: a fault of a formula shows before they are even written."""
    items.sort(key=lambda item: "calibrated_suite" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def config():
    return CONFIG


@pytest.fixture(scope="session")
def calibrated_suite(tmp_path_factory):
    """Ensembles that are calibrated by construction, with re-drawn truths."""
    return fabricated.write_suite(
        tmp_path_factory.mktemp("calibrated"), n_cv=14, n_draws=3, n_windows=6
    )


@pytest.fixture(scope="session")
def metrics(calibrated_suite, config):
    from emulator.validation.evaluate import evaluate

    return evaluate(*calibrated_suite, config)
