"""The picture of the pipeline, as SVG with real text: ``python -m analysis.site.pipeline_picture``.

All text stands in filled shapes, and lines are of a middle grey, so that it can be read on a white
page and on a black one; letters are still 10 pixels high where the picture is 350 pixels wide.
"""

from html import escape
from pathlib import Path
from typing import NamedTuple

WIDTH, HEIGHT = 560, 590
DATA, MODEL, USE, LINE, INK = "#cfe3f2", "#f6d9a8", "#cdeadd", "#808080", "#1b1b1b"
TITLE = "The pipeline"
DESCRIPTION = (
    "Pairs of simulations are projected to maps of whole boxes. On the maps a model is trained. "
    "The model draws members of held-out windows, which are compared with the truth in a report; "
    "it paints whole dark-matter-only boxes; and parameters are inferred from fields."
)


class Box(NamedTuple):
    """A rectangle with a line of text, and smaller ones below it."""

    x: int
    y: int
    width: int
    height: int
    color: str
    lines: tuple[str, ...]

    @property
    def middle(self) -> int:
        """Middle along x."""
        return self.x + self.width // 2

    def draw(self) -> str:
        """As SVG."""
        head = self.y + (self.height - 20 * (len(self.lines) - 1)) // 2 + 6
        weights = (' font-weight="bold"', *("" for _ in self.lines[1:]))
        texts = [
            f'<text x="{self.middle}" y="{head + 20 * i}"{weight}>{escape(line)}</text>'
            for i, (weight, line) in enumerate(zip(weights, self.lines, strict=True))
        ]
        shape = (
            f'<rect x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="8" '
            f'fill="{self.color}"/>'
        )
        return "\n".join([shape, *texts])


PAIRS = Box(30, 10, 500, 76, DATA, (
    "Pairs of simulations", "dark matter alone, and its hydrodynamic twin:",
    "embedded suite, CAMELS, your own",
))  # fmt: skip
MAPS = Box(30, 150, 500, 56, DATA, ("Maps of whole boxes", "all fields, surroundings, halos"))
BUNDLE = Box(30, 270, 500, 56, MODEL, (
    "A trained model", "weights, statistics, ranges of parameters",
))  # fmt: skip
MEMBERS = Box(10, 390, 172, 76, USE, ("Members", "of held-out", "windows"))
PAINTED = Box(194, 390, 172, 76, USE, ("Whole boxes", "that have no twin,", "with spread"))
POSTERIOR = Box(378, 390, 172, 76, USE, ("Parameters", "that made given", "fields"))
REPORT = Box(10, 520, 356, 60, USE, ("Report", "bars, figures, audits, baselines"))
BOXES = (PAIRS, MAPS, BUNDLE, MEMBERS, PAINTED, POSTERIOR, REPORT)
STEPS = (
    (PAIRS, MAPS, 280, "project"),
    (MAPS, BUNDLE, 280, "fit, train"),
    (BUNDLE, MEMBERS, MEMBERS.middle, "sample"),
    (BUNDLE, PAINTED, PAINTED.middle, "paint"),
    (BUNDLE, POSTERIOR, POSTERIOR.middle, "infer"),
    (MEMBERS, REPORT, MEMBERS.middle, "validate, report"),
)


def arrow(start: Box, end: Box, x: int, label: str) -> str:
    """A line down from one box to another, and the command that does the step."""
    low, high, half = start.y + start.height, end.y, 5 * len(label) + 10
    middle = (low + high) // 2 - 2
    return (
        f'<path d="M{x} {low} V{high - 9}" stroke="{LINE}" stroke-width="2"/>\n'
        f'<path d="M{x - 6} {high - 11} h12 l-6 9 z" fill="{LINE}"/>\n'
        f'<rect x="{x - half}" y="{middle - 13}" width="{2 * half}" height="24" rx="12" '
        f'fill="#ffffff" stroke="{LINE}"/>\n'
        f'<text x="{x}" y="{middle + 5}">{escape(label)}</text>'
    )


def picture() -> str:
    """The whole picture."""
    drawn = [*(box.draw() for box in BOXES), *(arrow(*step) for step in STEPS)]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img" aria-labelledby="title description">',
        f'<title id="title">{TITLE}</title>',
        f'<desc id="description">{escape(DESCRIPTION)}</desc>',
        f'<g font-family="Helvetica, Arial, sans-serif" font-size="16" text-anchor="middle" '
        f'fill="{INK}">',
        *drawn, "</g>", "</svg>", "",
    ])  # fmt: skip


def main() -> None:
    """Write ``docs/images/pipeline.svg``."""
    Path("docs/images/pipeline.svg").write_text(picture(), encoding="utf-8")


if __name__ == "__main__":
    main()
