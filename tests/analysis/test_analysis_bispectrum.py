"""The section on bispectra: lines are those of the file, and there is none without them."""

import judged
import pytest
import refused

from emulator.fields import dump_fields, find_fields
from emulator.metrics.bispectrum_ratio import BispectrumRatio
from emulator.report.figures.bispectrum import plot_bispectrum_ratio
from emulator.report.sections.bispectrum import bispectrum_sections


@pytest.fixture(scope="module")
def metrics():
    suite = [s for s in refused.simulations(n_cv=3) if s.name.startswith("CV")]
    summary = judged.summarised([refused.make_ensemble(s) for s in suite], BispectrumRatio())
    fields = find_fields(["dm_hydro", "gas", "stars"])
    return summary.assign_attrs(fields=dump_fields(fields))


def test_lines_are_ratios_of_the_file(metrics):
    figure = plot_bispectrum_ratio(metrics)
    ax = next(ax for ax in figure.axes if ax.get_title() == "gas")
    ratio = metrics["bispectrum_ratio"].sel(field="gas", estimate="value")
    lines = {line.get_label(): line for line in ax.get_lines()}
    for shape in ("equilateral", "squeezed"):
        expected = ratio.sel(triangle=shape).values
        assert lines[shape].get_ydata() == pytest.approx(expected, nan_ok=True)
        assert lines[shape].get_xdata() == pytest.approx(metrics["triangle_k"].values)


def test_the_caption_says_the_long_side(metrics):
    (section,) = bispectrum_sections(metrics)
    assert f"k = {float(metrics['triangle_k'][0]):.2g} h/Mpc" in section.pictures[0].caption
    assert bispectrum_sections(metrics.drop_vars("bispectrum_ratio")) == []
