"""What a section measured, and how it looks in Markdown and JSON."""

from dataclasses import asdict, dataclass, field
from typing import Any

INFINITY = float("inf")


@dataclass(frozen=True)
class Bar:
    """A number with the range that it should have."""

    what: str
    value: float
    low: float
    high: float

    @property
    def met(self) -> bool:
        """Whether the value lies in the range."""
        return self.low <= self.value <= self.high

    def cells(self) -> list[str]:
        """Row of the table of bars."""
        if self.low == -INFINITY:
            wanted = f"<= {self.high:g}"
        elif self.high == INFINITY:
            wanted = f">= {self.low:g}"
        else:
            wanted = f"{self.low:g} to {self.high:g}"
        return [self.what, f"{self.value:.3g}", wanted, "met" if self.met else "**missed**"]


@dataclass(frozen=True)
class Measurement:
    """One subject: bars, one table of figures, and what one has to know to read them."""

    title: str
    note: str
    bars: list[Bar] = field(default_factory=list)
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain types; bars carry their verdict as text."""
        data = asdict(self)
        data["bars"] = [bar.cells() for bar in self.bars]
        return data


def to_markdown(sections: dict[str, list[dict[str, Any]]], lead: str) -> str:
    """The page: all sections, in the order given."""
    lines = [lead]
    for measurements in sections.values():
        for measurement in measurements:
            lines += ["", f"## {measurement['title']}", "", measurement["note"]]
            if measurement["bars"]:
                lines += _table(["measured", "value", "wanted", "verdict"], measurement["bars"])
            if measurement["rows"]:
                lines += _table(measurement["header"], measurement["rows"])
    return "\n".join(lines) + "\n"


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    cells = [header, ["---"] * len(header), *rows]
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in cells)
    return ["", *("| " + " | ".join(row) + " |" for row in escaped)]
