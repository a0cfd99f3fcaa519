"""Words of the domain: what numbers and pages of arrays are called, where matter has masses.

Metrics and pages are written for maps of matter: their condition is a DMO map, the sum of a field
its mass. Of arrays the same numbers are means, and the condition has a label of its own. The
phrases that differ stand here, each with what stands in its place.
"""

import re

from emulator.domain import Domain

_PHRASES = (
    (r"Masses, occupancy and distribution", "Means"),
    (r"\bDMO \(condition\)", "{condition} (condition)"),
    (r"the mean DMO mass per pixel", "the root mean square"),
    (r"mean DMO mass (per|of a) pixel", "root mean square"),
    (r"s the mean DMO mass of a pixel or the root mean square of a field that is no mass",
     "s the root mean square of the field"),
    (r"masses relative to DMO", "in units of their root mean square"),
    (r"in DMO mass\b", "by the mean of {condition}"),
    (r"\bDMO (density|mass)\b", "{condition}"),
    (r"\bDMO\b", "{condition}"),
    (r"share of the truth's mass", "share of the truth"),
    (r"\bwindow masses\b", "window means"),
    (r"\bmass of a window\b", "mean of a window"),
    (r"\bof window mass\b", "of window means"),
    (r"\btotal mass\b", "mean"),
    (r"\bTotal mass( or mean)?\b", "Mean"),
    (r"\bmass or mean\b", "mean"),
    (r"\bthe projected map alone scatters more than truths of the same halos\b",
     "less than the truth does scatters more"),
    (r"\bthe projected map alone\b", "its conditions alone"),
    (r"\brun \(set BE\)", "run"),
    (r"\(set BE, (at least)", r"(\1"),
    (r"\bindependent phases\b", "nothing in common"),
    (r"\bphases\b", "groups"),
    (r"\bmasses\b", "means"),
    (r"\bMasses\b", "Means"),
    (r"\bmass\b", "mean"),
    (r"\bMass\b", "Mean"),
    (r"\bmassive halos\b", "windows"),
    (r" over the box\b", ""),
    (r"Msun/h", "unit of the field"),
)  # fmt: skip


def say(text: str, domain: Domain) -> str:
    """A sentence of maps of matter, in the words of a domain."""
    if domain.is_matter:
        return text
    label = domain.condition_label.replace("\\", r"\\")
    for phrase, instead in _PHRASES:
        text = re.sub(phrase, instead.replace("{condition}", label), text)
    return text
