"""Pictures: windows with their draws, and where they lie in the box."""

from emulator.report.figures.box import plot_box
from emulator.report.figures.maps import plot_maps
from emulator.report.inputs import Inputs
from emulator.report.members import member_viewer
from emulator.report.page import Section, encode_figure


def maps_section(inputs: Inputs) -> Section:
    """Windows chosen by their mass alone, and the whole box; arrays by their condition."""
    if not inputs.domain.is_matter:
        return _arrays_section(inputs)
    section = Section(
        "maps",
        "Maps",
        "Windows are chosen by their DMO mass alone (heaviest, median and lightest of three "
        "simulations), so no good-looking draw was picked; the member is always the first.",
    )
    for shown in inputs.shown:
        name = shown.ensemble.attrs["simulation"]
        section.pictures.append(
            encode_figure(
                plot_maps(shown.flat, shown.sample),
                raster=True,
                alt=f"Maps of simulation {name}, window {shown.sample}: condition, truth, member, "
                "ensemble mean and standard deviation for each channel",
                caption=f"{name}, window {shown.sample}, the {shown.why} in DMO mass. "
                f"{shown.slice_text}Truth, "
                "member and mean share one logarithmic scale. Good: the member looks like another "
                "draw of the truth, equally sharp; the mean is smoother; the scatter sits in "
                "halos, where baryons are uncertain. The pixels are in "
                f"ensembles/{shown.ensemble.attrs.get('split', 'test')}/{name}.nc.",
            )
        )
    section.viewers.append(member_viewer(inputs.shown[0]))
    first = inputs.shown[0].ensemble
    if inputs.domain.dimensions == 3:
        section.missing.append("The picture of the whole box is of maps, not of volumes.")
    elif inputs.box_dmo is None:
        section.missing.append(
            f"The maps file of {first.attrs['simulation']} was not found, so the picture of the "
            "whole box is left out."
        )
    else:
        section.pictures.append(
            encode_figure(
                plot_box(inputs.box_dmo, first),
                raster=True,
                alt=f"DMO maps of the whole box of {first.attrs['simulation']} with its windows",
                caption=f"DMO maps of {first.attrs['simulation']}, up to three projections, "
                "with the evaluated windows outlined and numbered. Good: windows cover halos, "
                "filaments and voids.",
            )
        )
    return section


_LIKE = {"heaviest": "largest", "median": "median", "lightest": "smallest"}


def _arrays_section(inputs: Inputs) -> Section:
    label = inputs.domain.condition_label
    section = Section(
        "maps",
        "Maps",
        f"Rows are chosen by the mean of their {label} alone (largest, median and smallest of "
        "three simulations), so no good-looking draw was picked; the member is always the first.",
    )
    for shown in inputs.shown:
        name = shown.ensemble.attrs["simulation"]
        section.pictures.append(
            encode_figure(
                plot_maps(shown.ensemble, shown.sample),
                raster=True,
                alt=f"Maps of {name}, row {shown.sample}: condition, truth, member, ensemble mean "
                "and standard deviation for each field",
                caption=f"{name}, row {shown.sample}, that of the {_LIKE[shown.why]} mean of "
                f"{label}. Truth, member and mean share one scale. Good: the member looks like "
                "another draw of the truth, equally sharp; the mean is smoother. The pixels are in "
                f"ensembles/{shown.ensemble.attrs.get('split', 'test')}/{name}.nc.",
            )
        )
    return section
