"""The section on halos: lines are those of the file, bins without halos are named."""

import judged
import numpy as np
import pytest
import xarray as xr

from emulator.config import ValidationConfig
from emulator.fields import dump_fields, find_fields
from emulator.metrics.halo_scatter import HaloScatter
from emulator.metrics.halo_stacks import HaloStacks
from emulator.metrics.halos import WindowHalos
from emulator.report.figures.halos import plot_halo_masses, plot_halo_profiles
from emulator.report.sections.halos import halo_sections
from emulator.report.text import with_interval

CONFIG = ValidationConfig().model_dump(mode="json")
PIXEL = 0.2


def summary_of(mass, x=12.0):
    rng = np.random.default_rng(0)
    ensembles = [
        xr.Dataset(
            {
                "fields": (
                    ("sample", "member", "channel", "y", "x"),
                    1e10 * rng.lognormal(size=(30, 3, 3, 24, 24)),
                ),
                "truth": (
                    ("sample", "channel", "y", "x"),
                    1e10 * rng.lognormal(size=(30, 3, 24, 24)),
                ),
                "condition": (("sample", "y", "x"), np.ones((30, 24, 24))),
            },
            coords={"channel": ["dm_hydro", "gas", "stars"]},
        )
        for _ in range(3)
    ]
    masses = mass * np.linspace(1.0, 1.2, 30)
    place = np.full(30, 12.0)
    halos = WindowHalos(np.arange(30), place, np.full(30, x), masses, np.full(30, 0.5))
    summary = judged.summarised(ensembles, HaloStacks(), HaloScatter(), more=[{"halos": halos}] * 3)
    fields = find_fields(["dm_hydro", "gas", "stars"])
    return summary.assign_attrs(fields=dump_fields(fields), pixel_mpch=PIXEL)


@pytest.fixture(scope="module")
def metrics():
    return summary_of(2e12)


def test_lines_are_surface_densities_of_the_file(metrics):
    figure = plot_halo_profiles(metrics)
    gas = next(ax for ax in figure.axes if ax.get_title() == "gas")
    where = {"field": "gas", "halo_mass": "12 to 12.5", "estimate": "value"}
    for line, kind in zip(gas.get_lines(), ("truth", "members"), strict=True):
        profile = metrics[f"halo_profile_{kind}"].sel(where).values
        assert line.get_ydata() == pytest.approx(profile / PIXEL**2)
    assert "Mpc" in gas.get_ylabel()


def test_points_are_ratios_of_masses(metrics):
    figure = plot_halo_masses(metrics)
    assert [ax.get_title() for ax in figure.axes][-1] == "total matter"
    point = figure.axes[1].containers[0].lines[0].get_ydata()
    where = {"field": "gas", "halo_mass": "12 to 12.5", "estimate": "value"}
    assert point == pytest.approx([metrics["halo_mass_ratio"].sel(where).item()])


def test_the_section_counts_halos_and_names_empty_bins(metrics):
    (section,) = halo_sections(metrics, CONFIG)
    assert "90 halos" in section.intro
    assert section.tables[0].rows[1] == ["12 to 12.5", "90", "0", "0"]
    assert "left out: 11.5 to 12, 12.5 to 13" in section.pictures[0].caption
    rows = {row[0]: row[1:] for row in section.tables[2].rows}
    ratio = metrics["halo_scatter_ratio"].sel(scatter_mass="all", scatter_of="gas")
    assert rows["scatter of gas [dex]"][2] == with_interval(ratio.values)
    assert "correlation, gas with stars" in rows


def test_without_halos_there_is_no_section_and_cut_ones_are_said(metrics):
    nothing = metrics.drop_vars([n for n in metrics.data_vars if "halo" in str(n)])
    assert halo_sections(nothing, CONFIG) == []
    (section,) = halo_sections(summary_of(2e12, x=1.0), CONFIG)
    assert not section.pictures
    assert "No halo" in section.missing[0]
    assert section.tables[0].rows[1] == ["12 to 12.5", "0", "90", "0"]
