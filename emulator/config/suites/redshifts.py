"""Outputs of one simulation at several redshifts: how they are called, and what must hold.

A suite that lists several redshifts has each of its simulations once a redshift: ``CV_0_z0`` and
``CV_0_z0p5`` are outputs of ``CV_0``. They share phases, and so a run, which no split separates.
With one redshift (or none that is stated) names are those of the simulations.
"""

from collections.abc import Iterable, Sequence

PARAMETER = "redshift"
"""What the redshift is called where it is a parameter of a model."""


def label_of(redshift: float) -> str:
    """Part of a name: ``z0p5`` for 0.5."""
    return f"z{redshift:g}".replace(".", "p")


def at_redshifts(names: Iterable[str], redshifts: Sequence[float]) -> tuple[str, ...]:
    """Names of all outputs, by redshift; of one redshift the names themselves."""
    names = tuple(names)
    if len(redshifts) < 2:
        return names
    return tuple(f"{name}_{label_of(z)}" for z in redshifts for name in names)


def output_of(name: str, redshifts: Sequence[float]) -> tuple[str, float | None]:
    """The simulation that an output is of, and its redshift; None where none is stated."""
    if len(redshifts) < 2:
        return name, (redshifts[0] if redshifts else None)
    for redshift in redshifts:
        end = f"_{label_of(redshift)}"
        if name.endswith(end):
            return name.removesuffix(end), redshift
    return name, None


def require_distinct(redshifts: Sequence[float]) -> None:
    """Refuse redshifts that are stated twice, or share a label.

    Raises
    ------
    ValueError
        Names them.
    """
    labels = [label_of(z) for z in redshifts]
    if len(set(labels)) < len(labels):
        raise ValueError(f"redshifts: expected each once, to six digits, got {list(redshifts)}")


def require_own_files(templates: dict[str, str | None], redshifts: Sequence[float]) -> None:
    """Refuse templates by which outputs of several redshifts would be one file.

    Raises
    ------
    ValueError
        Names the keys of the layout.
    """
    shared = [
        kind for kind, text in templates.items() if text is not None and "{snapshot" not in text
    ]
    if len(redshifts) > 1 and shared:
        raise ValueError(
            f"layout.{', layout.'.join(shared)}: expected {{snapshot}} in the path of a suite of "
            f"several redshifts, got none: one file cannot be of {len(redshifts)} redshifts"
        )
