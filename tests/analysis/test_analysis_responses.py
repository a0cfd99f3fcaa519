"""The section on responses: what is judged is solid, what is not is said."""

import fabricated
import one_parameter
import pytest
from matplotlib.container import BarContainer

from emulator.config import ValidationConfig
from emulator.report.figures.responses import PALE, moved_parameters, plot_responses
from emulator.report.overview import _responses
from emulator.report.sections.responses import responses_section
from emulator.validation.evaluate import evaluate

CONFIG = ValidationConfig(k_min_hmpc=2.0, k_max_hmpc=12.0)


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    return fabricated.write_suite(tmp_path_factory.mktemp("report"), n_cv=2, n_windows=2)


@pytest.fixture(scope="module")
def metrics(suite):
    paths, maps_dir, splits = suite
    moved = one_parameter.write_ensembles(maps_dir.parent, 0.5, n_windows=12, n_members=2)
    return evaluate([*paths, *moved], maps_dir, splits, CONFIG)


def test_bars_are_the_responses_and_pale_where_nothing_is_judged(metrics):
    figure = plot_responses(metrics)
    panels = {ax.get_title(): ax for ax in figure.axes}
    assert len(panels) == 4 * 4
    stars = panels["stars: mass"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["Omega_m", "A_SN1"]
    drawn = [bars for bars in stars.containers if isinstance(bars, BarContainer)]
    for kind, bars in zip(("truth", "members"), drawn, strict=True):
        values = metrics[f"response_{kind}"].sel(estimate="value", field="stars", summary="mass")
        assert [bar.get_width() for bar in bars] == pytest.approx(values.values)
        assert [bar.get_alpha() for bar in bars] == [PALE, 1.0]


def test_the_section_quotes_bars_and_slopes(metrics):
    section = responses_section(metrics, CONFIG.model_dump(mode="json"))
    assert "100% of the signs right" in section.pictures[0].caption
    assert "sizes within 30%" in section.pictures[0].caption
    (table,) = section.tables
    assert table.header == ["parameter", "dark matter", "gas", "stars", "total matter"]
    cells = dict(zip(table.header[1:], table.rows[1][1:], strict=True))
    assert table.rows[1][0] == "A_SN1"
    assert cells["dark matter"] == "–"
    assert cells["stars"].startswith("0.50 (")
    assert moved_parameters(metrics) == ["Omega_m", "A_SN1"]
    assert "1 run: all simulations of the set" in section.runs
    ((_, said),) = _responses(metrics)
    assert said.startswith("5 simulations of 1P")
    assert said.endswith("12 windows a simulation, 2 members a window")


def test_a_suite_without_a_response_set_is_told_so(suite):
    section = responses_section(evaluate(*suite, CONFIG), CONFIG.model_dump(mode="json"))
    assert not section.pictures
    assert _responses(evaluate(*suite, CONFIG)) == []
    (sentence,) = section.missing
    assert "neither shown nor judged" in sentence
