"""The building blocks of the page: sections, tables, and figures encoded into it."""

import base64
import io
from dataclasses import dataclass, field

from matplotlib.figure import Figure

PNG_DPI = 110
POINTS_PER_INCH = 72


@dataclass(frozen=True)
class Picture:
    """An encoded figure with its alternative text and caption."""

    source: str
    alt: str
    caption: str
    min_width: int
    max_width: int


@dataclass(frozen=True)
class Table:
    """Rows of text; cells of columns after the first are numbers or short words."""

    header: list[str]
    rows: list[list[str]]
    caption: str


@dataclass
class Section:
    """A titled part of the page.

    Attributes
    ----------
    runs
        Of how many independent runs its numbers are; ends every caption. Empty: of none.
    missing
        Which optional input was not there.
    """

    anchor: str
    title: str
    intro: str = ""
    runs: str = ""
    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    listings: list[tuple[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def encode_figure(figure: Figure, *, alt: str, caption: str, raster: bool = False) -> Picture:
    """Encode a figure as a data URI: SVG for lines, PNG for images."""
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
    return Picture(f"data:image/{kind};base64,{text}", alt, caption, width, limit)
