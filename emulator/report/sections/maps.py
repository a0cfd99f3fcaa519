"""Pictures: windows with their draws, and where they lie in the box."""

from emulator.domain import Domain
from emulator.nouns import capital
from emulator.report.figures.box import plot_box
from emulator.report.figures.maps import plot_maps
from emulator.report.inputs import Inputs, Shown
from emulator.report.members import member_viewer
from emulator.report.page import Picture, Section, encode_figure


def maps_section(inputs: Inputs) -> Section:
    """Windows chosen by their condition alone, and the whole box if they are parts of one."""
    nouns = inputs.domain.nouns
    section = Section(
        "maps",
        "Maps",
        f"{capital(nouns.window)}s are chosen by their {nouns.window_mass} alone "
        f"({nouns.heaviest}, median and {nouns.lightest} of three simulations), so no good-looking "
        "draw was picked; the member is always the first.",
    )
    section.pictures += [_picture(shown, inputs.domain) for shown in inputs.shown]
    section.viewers.append(member_viewer(inputs.shown[0]))
    if inputs.domain.is_matter:
        _add_box(section, inputs)
    return section


def _picture(shown: Shown, domain: Domain) -> Picture:
    name, nouns = shown.ensemble.attrs["simulation"], domain.nouns
    where, scale = "", "scale"
    if domain.is_matter:
        where = "; the scatter sits in halos, where baryons are uncertain"
        scale = "logarithmic scale"
    return encode_figure(
        plot_maps(shown.ensemble, shown.sample),
        raster=True,
        alt=f"Maps of simulation {name}, {nouns.window} {shown.sample}: condition, truth, member, "
        "ensemble mean and standard deviation for each channel",
        caption=f"{name}, {nouns.window} {shown.sample}, the {shown.why} in {nouns.window_mass}. "
        f"Truth, member and mean share one {scale}. Good: the member looks like another draw of "
        f"the truth, equally sharp; the mean is smoother{where}. The pixels are in "
        f"ensembles/{shown.ensemble.attrs.get('split', 'test')}/{name}.nc.",
    )


def _add_box(section: Section, inputs: Inputs) -> None:
    """The maps that the windows were cut from, or that they were not found."""
    first = inputs.shown[0].ensemble
    name = first.attrs["simulation"]
    if inputs.box_dmo is None:
        section.missing.append(
            f"The maps file of {name} was not found, so the picture of the whole box is left out."
        )
        return
    section.pictures.append(
        encode_figure(
            plot_box(inputs.box_dmo, first),
            raster=True,
            alt=f"DMO maps of the whole box of {name} with its windows",
            caption=f"DMO maps of {name}, up to three projections, with the evaluated windows "
            "outlined and numbered. Good: windows cover halos, filaments and voids.",
        )
    )
