"""The section on classes of brightness: what is drawn is what the file says, and bars are "
"quoted.
"""

import judged
import numpy as np
import pytest
import refused

from emulator.config import ValidationConfig
from emulator.fields import dump_fields, find_fields
from emulator.metrics.interval_score import IntervalScore
from emulator.metrics.rank_classes import RankClasses
from emulator.report.figures.rank_classes import plot_rank_classes
from emulator.report.sections.brightness import brightness_section

CONFIG = ValidationConfig().model_dump(mode="json")


@pytest.fixture(scope="module")
def metrics():
    suite = refused.simulations(n_cv=2, n_draws=3)
    ensembles = [
        refused.make_ensemble(s, redraws=[r for r in suite if r.run == s.run and r != s])
        for s in suite
        if s.name.startswith("CV")
    ]
    summary = judged.summarised(ensembles, RankClasses(), IntervalScore())
    fields = find_fields(summary["channel"].values.tolist())
    return summary.assign_attrs(fields=dump_fields(fields))


def test_points_are_shares_and_spreads_of_each_class(metrics):
    figure = plot_rank_classes(metrics, (0.8, 1.3))
    above, below = figure.axes[1], figure.axes[4]
    assert above.get_title() == "gas"
    for row, name in enumerate(("faint", "middle", "bright")):
        where = {"channel": "gas", "brightness": name, "estimate": "value"}
        line = above.containers[row].lines[0]
        assert line.get_ydata() == pytest.approx(9 * metrics["rank_share_class"].sel(where).values)
        point = below.containers[row].lines[0]
        assert point.get_xdata()[0] == pytest.approx(metrics["rank_spread"].sel(where).item())


def test_the_section_quotes_bars_and_coverage(metrics):
    section = brightness_section(metrics, CONFIG)
    assert "0.8 to 1.3" in section.pictures[0].caption
    coverage, intervals = section.tables
    assert "within 0.12" in coverage.caption
    assert len(coverage.rows) == 4 * 3
    assert coverage.rows[0][0] == "0.11, faint"
    expected = metrics["coverage_class"].sel(estimate="value", brightness="faint", channel="gas")
    assert coverage.rows[0][2].startswith(f"{float(expected[0]):.2f} (")
    assert intervals.rows[0][0] == "0.50"
    assert not section.missing


def test_without_redraws_the_section_says_so(metrics):
    names = [name for name in metrics.data_vars if "interval" in name or "winkler" in name]
    section = brightness_section(metrics.drop_vars(names), CONFIG)
    assert len(section.tables) == 1
    assert "nothing to compare with" in section.missing[0]
    assert np.isfinite(metrics["interval_score_ratio"].sel(estimate="value")).all()
