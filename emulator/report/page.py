"""The building blocks of the page: sections, tables, and figures encoded into it."""

import base64
import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from matplotlib.figure import Figure

from emulator.report.numbers import data_uri

PNG_DPI = 110
POINTS_PER_INCH = 72


@dataclass(frozen=True)
class Picture:
    """An encoded figure with its alternative text and caption.

    Attributes
    ----------
    numbers
        Address of the CSV of what is drawn; empty: none.
    number
        Of the figure on the page; see :func:`numbered`.
    """

    source: str
    alt: str
    caption: str
    min_width: int
    max_width: int
    numbers: str = ""
    number: int = 0


@dataclass(frozen=True)
class Strip:
    """One field of a viewer: the truth, and all members side by side in one image."""

    label: str
    truth: str
    members: str


@dataclass(frozen=True)
class Viewer:
    """Members of one window to step through, each beside the truth.

    Attributes
    ----------
    window
        Which one, in words.
    n_members
        Of each strip. Without scripts the first one is seen.
    """

    strips: list[Strip]
    n_members: int
    window: str
    caption: str
    number: int = 0


@dataclass(frozen=True)
class Table:
    """Rows of text; cells of columns after the first are numbers or short words.

    Attributes
    ----------
    folded
        What to unfold to see it; empty: it is seen.
    of_runs
        Whether its numbers are of the runs of the section, which its caption then says.
    """

    header: list[str]
    rows: list[list[str]]
    caption: str
    folded: str = ""
    of_runs: bool = True
    number: int = 0


@dataclass
class Section:
    """A titled part of the page.

    Attributes
    ----------
    runs
        Of how many runs its numbers are; ends every caption. Empty: of none.
    said
        Titles with a sentence each, made from the numbers.
    missing
        Which optional input was not there.
    """

    anchor: str
    title: str
    intro: str = ""
    runs: str = ""
    pictures: list[Picture] = field(default_factory=list)
    viewers: list[Viewer] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    said: list[tuple[str, str]] = field(default_factory=list)
    listings: list[tuple[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    number: int = 0


def numbered(sections: Sequence[Section]) -> list[Section]:
    """Sections with their numbers and those of their figures and tables, in reading order."""
    figures, tables = itertools.count(1), itertools.count(1)
    return [
        replace(
            section,
            number=place,
            pictures=[replace(each, number=next(figures)) for each in section.pictures],
            viewers=[replace(each, number=next(figures)) for each in section.viewers],
            tables=[replace(each, number=next(tables)) for each in section.tables],
        )
        for place, section in enumerate(sections, 1)
    ]


def encode_figure(
    figure: Figure, *, alt: str, caption: str, raster: bool = False, numbers: str = ""
) -> Picture:
    """Encode a figure as a data URI: SVG for lines, PNG for images; ``numbers``: its CSV."""
    buffer = io.BytesIO()
    if raster:
        figure.savefig(buffer, format="png", dpi=PNG_DPI, metadata={"Software": None})
    else:
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    kind = "png" if raster else "svg+xml"
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    # At one point a pixel the labels stay legible on a phone, which then scrolls sideways; on a
    # wide screen a small figure is not blown up.
    points = figure.get_figwidth() * POINTS_PER_INCH
    width, limit = round(min(points, 820)), round(1.35 * points)
    source = f"data:image/{kind};base64,{text}"
    return Picture(source, alt, caption, width, limit, data_uri(numbers) if numbers else "")
