"""Bars by what they ask about: mass, power, response, calibration, images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from emulator.domain import Domain
from emulator.metrics.bars import MET
from emulator.nouns import Nouns, capital

MASS = "Mass"
"""The group that is called by a noun of the domain."""

GROUP_OF = {
    "mass_ratio": MASS,
    "power_ratio_summed": "Power",
    "power_ratio_median": "Power",
    "suppression_error": "Power",
    "crps_power_gain": "Power",
    "response_sign": "Response",
    "response_size": "Response",
    "spread_skill": "Calibration",
    "spread_skill_squares": "Calibration",
    "rank_spread": "Calibration",
    "coverage_class": "Calibration",
    "crps_gain": "Images",
    "variance_ratio": "Images",
}
"""Groups by the variable that is judged; bars of all others are `Others`."""


def _asked(nouns: Nouns) -> dict[str, str]:
    """Names of groups and what each asks, in the order of the page."""
    return {
        MASS: f"Is the {nouns.total} of each field right?",
        "Power": "Is the power on every scale right, and that of single windows better than the "
        "best baseline's?",
        "Response": "Do members follow the parameters as the truth does?",
        "Calibration": "Is the scatter of the members their error, for bright pixels and faint "
        "ones?",
        "Images": "Are pixels and means over squares better than the best baseline's, and of the "
        "right variance?",
        "Others": "What else the config asks for.",
    }


@dataclass(frozen=True)
class Group:
    """Bars of one group, in their order.

    Attributes
    ----------
    asks
        What is asked, in words.
    """

    name: str
    asks: str
    bars: list[dict[str, Any]]

    @property
    def met(self) -> int:
        """How many are met."""
        return sum(bar["verdict"] == MET for bar in self.bars)

    @property
    def missed(self) -> list[dict[str, Any]]:
        """Those that are not."""
        return [bar for bar in self.bars if bar["verdict"] != MET]


def group_bars(bars: Sequence[dict[str, Any]], domain: Domain) -> list[Group]:
    """Groups that have bars, in the words of the domain; every bar is in one.

    Parameters
    ----------
    bars
        Rows of ``acceptance.json``.
    """
    asked, nouns = _asked(domain.nouns), domain.nouns
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in asked}
    for bar in bars:
        found[GROUP_OF.get(bar["statistic"], "Others")].append(bar)
    return [
        Group(capital(nouns.amount) if name == MASS else name, asked[name], rows)
        for name, rows in found.items()
        if rows
    ]
