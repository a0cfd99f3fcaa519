"""Halos: profiles, masses within R200c, shares, occupancy, and their joint scatter."""

from typing import Any

import xarray as xr

from emulator.report.figures import style
from emulator.report.figures.halos import filled_bins, plot_halo_masses, plot_halo_profiles
from emulator.report.numbers import numbers_of
from emulator.report.page import Section, Table, encode_figure
from emulator.report.text import BAND, with_interval


def halo_sections(metrics: xr.Dataset, config: dict[str, Any]) -> list[Section]:
    """One section where halos were known; none where they were not."""
    if "halo_count" not in metrics:
        return []
    section = Section("halos", "Around halos")
    bins = filled_bins(metrics)
    total = int(metrics["halo_count"].sel(estimate="value").sum())
    section.intro = (
        f"{total} halos of the DMO catalogues, one for each window that shows it; all in "
        "projection through the depth of the maps."
    )
    section.tables.append(_counts(metrics))
    if not bins:
        section.missing.append("No halo has its R200c inside a window and a pixel or larger.")
        return [section]
    empty = [str(each) for each in metrics["halo_mass"].values if str(each) not in bins.values()]
    gaps = f" Empty bins of log M200c are left out: {', '.join(empty)}." if empty else ""
    section.pictures += [
        encode_figure(
            plot_halo_profiles(metrics),
            alt="Mean profiles of each field around halos by mass, truth solid and members dashed",
            caption=f"Profiles around {total} halos in bins of mass: truth solid, members dashed. "
            "Good: dashed lines on solid ones, in the innermost annulus too. An annulus that "
            f"leaves the window does not count.{gaps} No bar. {BAND}",
            numbers=numbers_of(metrics, "halo_profile_truth", "halo_profile_members"),
        ),
        encode_figure(
            plot_halo_masses(metrics),
            alt="Mass within R200c by halo mass and field, members over truth",
            caption="Mass in the cylinder of R200c, members over truth. Good: 1 at every halo "
            f"mass, within the interval.{gaps} No bar. {BAND}",
            numbers=numbers_of(metrics, "halo_mass_ratio"),
        ),
    ]
    section.tables += _shares(metrics, config, list(bins.values()))
    if "halo_scatter_truth" in metrics:
        section.tables.append(_scatter(metrics))
    return [section]


def _counts(metrics: xr.Dataset) -> Table:
    names = {"halo_count": "stacked", "halo_cut": "R200c leaves the window",
             "halo_unresolved": "R200c below a pixel"}  # fmt: skip
    rows = [
        [str(label), *(f"{float(metrics[n].sel(estimate='value', halo_mass=label)):.0f}"
                       for n in names)]
        for label in metrics["halo_mass"].values
    ]  # fmt: skip
    return Table(
        ["log M200c [Msun/h]", *names.values()],
        rows,
        "Halos that are stacked, and those that are left out and why. A bin of 0 has no number.",
    )


def _shares(metrics: xr.Dataset, config: dict[str, Any], bins: list[str]) -> list[Table]:
    """Shares of total matter, and halos that hold sparse fields; truth beside members."""
    known, rows = style.fields_of(metrics), []
    names = [str(name) for name in metrics["field"].values if known[str(name)].adds_up]

    def row(what: str, label: str, name: str, form: str, **where: str) -> list[str]:
        cells = (
            with_interval(metrics[f"{name}_{kind}"].sel({"halo_mass": label} | where).values, form)
            for kind in ("truth", "members")
        )
        return [what, label, *cells]

    if "halo_share_truth" in metrics:
        for label in bins:
            rows.append(row("baryons / total", label, "halo_baryons", ".3f"))
            rows += [
                row(f"{known[n].label} / total", label, "halo_share", ".3f", field=n)
                for n in names
                if "dark_matter" not in known[n].particles
            ]
    for name in names:
        if known[name].sparse:
            least = f"more than {config['occupied_msunh']:.0e} Msun/h of {known[name].label}"
            rows += [row(least, label, "halo_occupied", ".2f", field=name) for label in bins]
    if not rows:
        return []
    said = "Within R200c in projection, with the interval of 68 %. Good: members as truth. No bar."
    return [Table(["share", "log M200c [Msun/h]", "truth", "members"], rows, said)]


def _scatter(metrics: xr.Dataset) -> Table:
    known, where = style.fields_of(metrics), {"scatter_mass": "all"}

    def cells(name: str, **which: str) -> list[str]:
        return [
            with_interval(metrics[f"{name}_{kind}"].sel(where | which).values)
            for kind in ("truth", "members")
        ]

    rows = []
    for value in metrics["scatter_of"].values:
        ratio = with_interval(
            metrics["halo_scatter_ratio"].sel(where | {"scatter_of": value}).values
        )
        label = known[str(value)].label
        rows.append([f"scatter of {label} [dex]", *cells("halo_scatter", scatter_of=value), ratio])
    for pair in metrics["scatter_pair"].values:
        label = " with ".join(known[name].label for name in str(pair).split(", "))
        rows.append([f"correlation, {label}", *cells("halo_correlation", scatter_pair=pair), ""])
    for which in metrics["extreme"].values:
        worst = metrics["halo_scatter_extreme"].sel(where | {"extreme": which})
        rows.append([f"combination with {which} scatter", "", "", with_interval(worst.values)])
    return Table(
        ["at fixed halo mass", "truth", "members", "members / truth"],
        rows,
        "Joint scatter of log masses within R200c about their line in log M200c, of every member "
        "by itself, all bins of 20 halos or more. Good: members as truth, and combinations at 1 "
        "(few halos push them away from it). A dash: too few halos. No bar.",
    )
