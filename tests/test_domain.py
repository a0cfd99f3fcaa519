"""The domain of maps: read from a file's attributes, and the words that follow from it."""

import re

import pytest
from arrays import NOT_OF_ARRAYS, small

from emulator.config import parse_config
from emulator.domain import MATTER, Domain, domain_of, pixel_of
from emulator.io import DataError
from emulator.metrics.registry import METRICS, metric_of
from emulator.report.groups import group_bars


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
    if metric.name in ("suppression", "response", "bispectrum", "halo_stacks", "halo_scatter"):
        return
    for domain, refused in ((of_arrays(), NOT_OF_ARRAYS), (MATTER, r"\bgiven\b")):
        texts = [metric.title(domain), metric.estimator]
        texts += [f"{panel.label} {panel.caption}" for panel in metric.panels_of(domain) or ()]
        assert not [text for text in texts if re.search(rf"(?i){refused}", text)]


def test_nouns_of_arrays_are_none_of_matter():
    ours, others = (vars(domain.nouns) for domain in (of_arrays(), MATTER))
    assert all(ours.values())
    assert not [noun for noun in ours.values() if re.search(rf"(?i){NOT_OF_ARRAYS}", noun)]
    assert not [name for name in ours if ours[name] == others[name] and name != "window"]


def test_labels_of_conditions_are_the_users_words():
    field = of_arrays().conditions[0].model_copy(update={"label": r"rain \d {x}"})
    domain = Domain(length="km", conditions=(field,))
    variance = metric_of("variance_ratio")
    assert variance.title(domain) == r"Total variance by rain \d {x}"
    assert variance.panels_of(domain)[0].caption.startswith(r"Pixels are sorted by rain \d {x}. ")


def test_groups_of_bars_are_called_by_their_nouns():
    bars = [{"statistic": name, "verdict": "met"} for name in ("mass_ratio", "crps_gain", "else")]
    asked = {
        domain: [(group.name, group.asks) for group in group_bars(bars, domain)]
        for domain in (MATTER, of_arrays())
    }
    assert asked[MATTER][0] == ("Mass", "Is the total mass of each field right?")
    assert asked[of_arrays()][0] == ("Mean", "Is the mean of each field right?")
    assert asked[MATTER][1:] == asked[of_arrays()][1:]
    assert len(asked[MATTER]) == 3
