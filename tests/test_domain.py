"""The domain of maps: read from a file's attributes, and the words that follow from it."""

import re

import pytest
from arrays import OF_MATTER, small

from emulator.config import parse_config
from emulator.domain import MATTER, Domain, domain_of, pixel_of
from emulator.io import DataError
from emulator.metrics.registry import METRICS
from emulator.wording import say


def of_arrays(length="km"):
    return Domain(length=length, conditions=parse_config(small()).suite.conditions)


def test_files_without_a_domain_are_of_matter():
    assert domain_of({}, "maps") is MATTER
    assert MATTER.attributes() == {}
    assert (MATTER.wave_number, MATTER.power) == ("h/Mpc", "(Mpc/h)^2")
    assert pixel_of({"pixel_mpch": 0.2}) == 0.2


@pytest.mark.parametrize(
    ("length", "wave_number", "power"),
    [("km", "1/km", "km^2"), ("pixel", "1/pixel", "pixel^2"), ("m/s", "1/m/s", "(m/s)^2")],
)
def test_units_follow_from_that_of_a_length(length, wave_number, power):
    domain = of_arrays(length)
    assert domain_of(domain.attributes(), "maps") == domain
    assert (domain.wave_number, domain.power) == (wave_number, power)
    assert pixel_of({"pixel": 3.0}) == 3.0


def test_an_attribute_that_is_no_domain_is_refused():
    with pytest.raises(DataError, match=r"maps:domain: expected a domain"):
        domain_of({"domain": "{}x"}, "maps")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_has_words_for_arrays(metric):
    """But for those that arrays do not have."""
    if metric.name in ("suppression", "response", "halo_stacks", "halo_scatter"):
        return
    texts = [metric.label, metric.estimator]
    texts += [part for panel in metric.panels or () for part in (panel.label, panel.caption)]
    for text in texts:
        assert say(text, MATTER) == text
        assert not re.search(rf"(?i)\bmass|{OF_MATTER}", say(text, of_arrays()))


def test_labels_of_conditions_are_the_users_words():
    field = of_arrays().conditions[0].model_copy(update={"label": r"rain \d"})
    domain = Domain(length="km", conditions=(field,))
    assert say("Pixels are sorted by DMO mass.", domain) == r"Pixels are sorted by rain \d."
