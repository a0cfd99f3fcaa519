"""Power spectra, suppression and correlation."""

from typing import Any

import xarray as xr

from emulator.metrics.tolerances import unit_of_k
from emulator.report.figures import style
from emulator.report.figures.correlation import plot_correlation
from emulator.report.figures.power import plot_power, plot_power_ratio
from emulator.report.figures.suppression import plot_suppression
from emulator.report.numbers import numbers_of
from emulator.report.page import Section, encode_figure
from emulator.report.text import BAND, k_range_of


def spectra_section(metrics: xr.Dataset, config: dict[str, Any]) -> Section:
    """Bars of the power, and what bears on them."""
    known, nouns = style.fields_of(metrics), style.domain_of_file(metrics).nouns
    k_range, unit = k_range_of(config), unit_of_k(metrics)
    tolerance = config["bars"]["power"]
    shaded = f"The shaded range, k = {k_range[0]:g} to {k_range[1]:g} {unit}, is that of the bars."
    bars = ", ".join(
        f"{known[name].label} {value:.0%}" for name, value in tolerance.items() if name in known
    )
    suppression, near = [], ""
    if "suppression_truth" in metrics:
        share = config["bars"]["suppression"]
        bar = f"Bar: within {share:.0%} of the largest suppression of the truth."
        near = "; it is near r = 1 for total matter without any model"
        suppression.append(
            encode_figure(
                plot_suppression(metrics, k_range),
                alt="Suppression of total matter power, truth and members",
                caption="Total matter power over DMO power: what baryons do to matter. Good: the "
                f"members reproduce depth and scale of the dip. {bar} {shaded} {BAND}",
                numbers=numbers_of(metrics, "suppression_truth", "suppression_members"),
            )
        )
    units = "Masses are in units of the mean DMO mass per pixel."
    if all(field.run == "array" for field in known.values()):
        units = "Fields are in units of their root mean square."
    elif not all(field.adds_up for field in known.values()):
        units += " Other fields are in units of their root mean square over the box."
    within_range = f"for k = {k_range[0]:g} to {k_range[1]:g} {unit}"
    green = f"Bar (green): {bars}, {within_range}." if bars else "No bar."
    return Section(
        "spectra",
        "Power spectra",
        "Spectra of single members, averaged afterwards; a spectrum of the ensemble mean would "
        f"miss the small scales. {units}",
        pictures=[
            encode_figure(
                plot_power_ratio(metrics, tolerance, k_range),
                alt="Ratio of member to truth power by field, with tolerance bands",
                caption="Power of the members over that of the truth. Summed over windows, a few "
                f"{nouns.heavy} dominate; the median shows the typical window. Good: both lines "
                f"at 1. {green} {BAND}",
                numbers=numbers_of(metrics, "power_ratio_summed", "power_ratio_median"),
            ),
            encode_figure(
                plot_power(metrics),
                alt="Power spectra of truth and members by field",
                caption=f"Power spectra. Good: the dashed line lies on the solid one. {BAND}",
                numbers=numbers_of(metrics, "spectrum_truth", "spectrum_members"),
            ),
            *suppression,
            encode_figure(
                plot_correlation(metrics, k_range),
                alt="Correlation coefficient with the truth by field, members and "
                f"{nouns.condition}",
                caption="What the correlation r with the truth lacks of 1, on a logarithmic axis: "
                f"lower is closer. The dotted line is what a copy of the {nouns.condition} "
                f"field reaches{near}. A draw that is "
                "honest about its uncertainty may lie above that line: the member's own randomness "
                "counts against it (see the calibration identity). No bar. "
                f"{BAND}",
                numbers=numbers_of(
                    metrics,
                    "correlation_dmo_truth",
                    "correlation_condition_truth",
                    "correlation_member_truth",
                ),
            ),
        ],
    )
