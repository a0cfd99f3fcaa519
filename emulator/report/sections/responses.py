"""What parameters do to the members, beside what they do to the truth."""

from typing import Any

import numpy as np
import xarray as xr

from emulator.metrics.response import LEAST, NOTABLE, SIGNIFICANT
from emulator.report.figures import style
from emulator.report.figures.responses import moved_parameters, plot_responses
from emulator.report.numbers import numbers_of
from emulator.report.page import Section, Table, encode_figure
from emulator.report.text import UNKNOWN, join, with_interval


def responses_section(metrics: xr.Dataset, config: dict[str, Any]) -> Section:
    """Bars of responses, and the table of their ratios; or why there are none."""
    section = Section(
        "responses",
        "Response to parameters",
        "Simulations of equal phases that differ in one parameter, members of equal noise: what "
        "differs is the work of the parameter. A model that ignores it does not move.",
    )
    if "response_truth" not in metrics:
        section.missing.append(
            "No simulation of a response set (data.split.response_sets, such as 1P) was held out, "
            "so responses to parameters are neither shown nor judged."
        )
        return section
    section.runs = "1 run: all simulations of the set have the same phases."
    bars = config["bars"]
    section.pictures.append(
        encode_figure(
            plot_responses(metrics),
            alt="Responses of every field to every parameter, truth and members side by side",
            caption="Change of the logarithm of a summary across the whole range of a parameter, "
            "over the same of the DMO map, which the model is given. Mass and variance of the "
            "windows, power on the largest and the smallest scales. Good: bars of one length "
            "(axes are linear within 0.1 and logarithmic beyond). "
            f"Pale: not judged, as the truth is within {SIGNIFICANT:g} sigma or "
            f"{NOTABLE:.0%} of nothing (or the model is not told the parameter). Lines are "
            "intervals of 68 % from the windows of one box. Bars: "
            f"{bars['response_sign']:.0%} of the signs right (less than {LEAST:.0%} of the truth "
            f"has none), sizes within {bars['response_size']:.0%}.",
            numbers=numbers_of(metrics, "response_truth", "response_members", "response_slope"),
        )
    )
    section.tables.append(_slopes(metrics))
    silent = [
        style.fields_of(metrics)[str(name)].label
        for name in metrics["field"].values
        if not bool(metrics["response_judged"].sel(field=name).any())
    ]
    if silent:
        section.missing.append(
            f"The truth of {join(silent)} responds to no parameter beyond its errors, so there "
            "is no bar."
        )
    return section


def _slopes(metrics: xr.Dataset) -> Table:
    """Members over truth, by parameter and field."""
    known = style.fields_of(metrics)
    names = [str(name) for name in metrics["field"].values]
    rows = []
    for parameter in moved_parameters(metrics):
        cells = []
        for name in names:
            slope = metrics["response_slope"].sel(parameter=parameter, field=name)
            judged = metrics["response_judged"].sel(parameter=parameter, field=name)
            values = slope.transpose("estimate").values
            undefined = bool(judged.any()) and not np.isfinite(values[0])
            cells.append("undefined" if undefined else with_interval(values))
        rows.append([parameter, *cells])
    return Table(
        ["parameter", *(known[name].label for name in names)],
        rows,
        "Slope of the responses of members over those of the truth, through all summaries that are "
        f"judged. Good: 1; 0 is a model that ignores the parameter; {UNKNOWN} where the truth does "
        "not respond.",
    )
