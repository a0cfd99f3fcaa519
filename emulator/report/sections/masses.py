"""Masses, occupancy and distribution of the values of a pixel."""

from typing import Any

import xarray as xr

from emulator.metrics.masses import Masses
from emulator.report.figures import style
from emulator.report.figures.occupancy import plot_occupancy
from emulator.report.figures.one_point import plot_one_point
from emulator.report.numbers import numbers_of
from emulator.report.page import Section, Table, encode_figure
from emulator.report.text import BAND, join, with_interval


def masses_section(metrics: xr.Dataset, config: dict[str, Any]) -> Section:
    """Occupancy of sparse fields, distributions, and the table of total masses."""
    known, ratio = style.fields_of(metrics), metrics["mass_ratio"]
    channels = [known[str(name)] for name in metrics["channel"].values]
    domain = style.domain_of_file(metrics)
    section = Section("masses", Masses().title(domain))
    for field in channels:
        if field.sparse and field.adds_up:
            what = field.label[:1].upper() + field.label[1:]
            section.pictures.append(
                encode_figure(
                    plot_occupancy(metrics, field.name),
                    alt=f"{what}: occupied share of pixels and mean mass, members against truth",
                    caption=f"{what}: most pixels are empty. Left: share of pixels that hold more "
                    f"than {config['occupied_msunh']:.0e} Msun/h; right: mean mass. One point a "
                    "simulation. Good: points on the diagonal. No bar.",
                    numbers=numbers_of(
                        metrics.sel(channel=field.name, field=field.name),
                        *("occupancy_truth", "occupancy_members", "mass_truth", "mass_members"),
                    ),
                )
            )
    if "density_truth" in metrics and not all(field.signed for field in channels):
        section.pictures.append(
            encode_figure(
                plot_one_point(metrics),
                alt="Distribution of the values of a pixel by channel, truth and members",
                caption="Distribution of the value of a pixel; empty pixels count in the total but "
                "are not drawn. Good: the dashed line lies on the solid one, tails included. "
                f"{BAND}",
                numbers=numbers_of(metrics, "density_truth", "density_members"),
            )
        )
    within = [f"{known[name].label} {bar:.0%}" for name, bar in config["bars"]["mass"].items()]
    bar_of_mass = f"Bar: within {join(within)}." if within else "No bar."
    if domain.is_matter:
        what = "mass" if all(field.adds_up for field in channels) else "mass or mean"
        said = f"Total {what} in all windows"
    else:
        what, said = "mean", "Mean over all windows"
    note = ""
    if any(field.signed for field in channels):
        note = " Of a signed field a ratio says nothing."
    rows = [
        [known[str(name)].label, with_interval(ratio.sel(field=name).values)]
        for name in ratio["field"].values
    ]
    section.tables.append(
        Table(
            ["field", f"{what}, members / truth"],
            rows,
            f"{said}, with the interval of 68 %. Good: 1. {bar_of_mass}{note}",
        )
    )
    return section
