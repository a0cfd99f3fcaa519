"""Nouns of a domain: what captions, tables and attributes call a condition, an amount, a group.

Sentences are written once, with these. Where two domains need sentences of their own, both stand
side by side at the place that says them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Nouns:
    """Words that differ between domains.

    Attributes
    ----------
    condition
        The first field that is given.
    condition_mass, condition_density
        That of a pixel, by which pixels are sorted.
    densest
        The uppermost pixels of that order.
    window_mass, heaviest, lightest
        That by which windows are chosen for the page, and the ends of its order.
    window
        What a picture shows.
    amount, amounts, total
        Of a field in a window, in several, and in all of them.
    mean_amount
        Of a field in a pixel.
    field_scale
        Unit in which fields compare.
    heavy
        What dominates sums over windows.
    given
        What the model knows of the truth.
    run, source
        Simulations that are not independent, and what they share.
    """

    condition: str
    condition_mass: str
    condition_density: str
    densest: str
    window_mass: str
    heaviest: str
    lightest: str
    window: str
    amount: str
    amounts: str
    total: str
    mean_amount: str
    field_scale: str
    heavy: str
    given: str
    run: str
    source: str


OF_MATTER = Nouns(
    condition="DMO",
    condition_mass="DMO mass",
    condition_density="DMO density",
    densest="densest",
    window_mass="DMO mass",
    heaviest="heaviest",
    lightest="lightest",
    window="window",
    amount="mass",
    amounts="masses",
    total="total mass",
    mean_amount="mean mass",
    field_scale="the mean DMO mass of a pixel or the root mean square of a field that is no mass",
    heavy="massive halos",
    given="the projected map",
    run="run",
    source="phases",
)


def nouns_of_arrays(condition: str) -> Nouns:
    """Those of arrays, whose first condition has a label of its own."""
    return Nouns(
        condition=condition,
        condition_mass=condition,
        condition_density=condition,
        densest="highest",
        window_mass=f"mean {condition}",
        heaviest="largest",
        lightest="smallest",
        window="row",
        amount="mean",
        amounts="means",
        total="mean",
        mean_amount="mean value",
        field_scale="the root mean square of the field",
        heavy="windows",
        given="its conditions",
        run="group",
        source="a source",
    )


def capital(text: str) -> str:
    """A sentence's start; what follows is as it was."""
    return text[:1].upper() + text[1:]
