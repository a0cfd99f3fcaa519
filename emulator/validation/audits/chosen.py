"""Which held-out simulations are audited, and with whose parameters."""

from collections.abc import Mapping, Sequence

PARTS_OF_SAME = 1.0e-9
"""Values that differ less (relatively) are the same."""


def by_runs(runs: Mapping[str, str]) -> list[str]:
    """Simulations in an order that takes one of every run first, then a second one, and so on.

    Parameters
    ----------
    runs
        Run of each simulation; runs, and simulations within one, keep the order of the mapping.
    """
    of_run: dict[str, list[str]] = {}
    for name, run in runs.items():
        of_run.setdefault(run, []).append(name)
    deepest = max(map(len, of_run.values()), default=0)
    return [names[i] for i in range(deepest) for names in of_run.values() if i < len(names)]


def one_of_each_run(runs: Mapping[str, str]) -> list[str]:
    """The first simulation of every run, in order."""
    return by_runs(runs)[: len(set(runs.values()))]


def partners_of(
    own: Mapping[str, float],
    others: Mapping[str, Mapping[str, float]],
    density: str | None,
) -> list[str]:
    """Simulations whose parameters take the place of others, the best ones alone.

    Parameters
    ----------
    own
        Parameters of the simulation.
    others
        Those of candidates, by simulation.
    density
        Name of the parameter that says the mean density, which a map has shown already: candidates
        of the nearest value are taken. None: there is no such parameter.

    Returns
    -------
    Candidates with other parameters, in order; none, if all are alike.
    """
    differ = {
        name: params
        for name, params in others.items()
        if any(not _same(params[key], value) for key, value in own.items())
    }
    if density is None or density not in own or not differ:
        return list(differ)
    away = {name: abs(params[density] - own[density]) for name, params in differ.items()}
    nearest = min(away.values())
    return [name for name, each in away.items() if each <= nearest + PARTS_OF_SAME]


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= PARTS_OF_SAME * max(abs(a), abs(b))


def spread_by_mass(masses: Sequence[float], n_chosen: int) -> list[tuple[int, int]]:
    """Windows at even ranks of mass, each with the one of all others that is nearest to it in mass.

    Parameters
    ----------
    masses
        Of all windows of a simulation; two or more.
    n_chosen
        How many; of fewer windows than that, all.

    Returns
    -------
    Pairs of numbers (window, partner).
    """
    order = sorted(range(len(masses)), key=lambda i: masses[i])
    n_chosen = min(n_chosen, len(order))
    pairs = []
    for j in range(n_chosen):
        rank = int((j + 0.5) * len(order) / n_chosen)
        near = [r for r in (rank - 1, rank + 1) if 0 <= r < len(order)]
        best = min(near, key=lambda r: abs(masses[order[r]] - masses[order[rank]]))
        pairs.append((order[rank], order[best]))
    return pairs
