"""A model in a few lines: what it draws, from what, and what is known of it."""

from collections.abc import Mapping, Sequence

from emulator.config import EVALUATIONS, SamplingConfig
from emulator.config.names import SOLVED
from emulator.config.suites.redshifts import PARAMETER as REDSHIFT
from emulator.fields import Field
from emulator.model.card import Grid, ModelCard
from emulator.model.normalisation import ParameterScale

_SHOWN = 6


def lines_of(head: str, facts: Mapping[str, str]) -> str:
    """Aligned lines in angle brackets, as the ``repr`` of an object."""
    width = max(map(len, facts), default=0) + 2
    return (
        "\n".join([f"<{head}", *(f"  {name:{width}s}{said}" for name, said in facts.items())]) + ">"
    )


def facts_of(card: ModelCard) -> dict[str, str]:
    """What every model says of itself: fields, window, parameters, training."""
    facts, steps = card.facts, card.metrics.get("step")
    suite = card.attributes.get("suite", "a suite that it does not name")
    trained = f"{suite}, " + (f"{steps:.0f} steps" if steps else "steps unknown")
    if facts.batch_size:
        trained += f" of {facts.batch_size} windows"
    return {
        "fields": say_fields([channel.field for channel in card.normalisation.channels]),
        "window": say_window(card),
        "parameters": say_parameters(card.normalisation.params),
        "trained on": trained,
    }


def say_fields(fields: Sequence[Field]) -> str:
    """Names of fields by their units."""
    by_unit: dict[str, list[str]] = {}
    for field in fields:
        by_unit.setdefault(str(field.unit), []).append(field.name)
    return "; ".join(f"{', '.join(names)} [{unit}]" for unit, names in by_unit.items())


def say_window(card: ModelCard) -> str:
    """Geometry of the windows and how their maps were made."""
    grid = card.grid
    if not isinstance(grid, Grid):
        rows, columns = grid.shape
        given = ", ".join(f"{field.name} [{field.unit}]" for field in card.domain.conditions)
        return f"{rows} x {columns} pixels of {grid.pixel:.9g} {grid.length_unit}, given {given}"
    context = ", ".join(f"x{factor}" for factor in card.normalisation.context_factors) or "none"
    return (
        f"{say_size(grid, 9)}, "
        f"{say_redshift(card)}, kernel {grid.deposit or 'not known'}, context {context}"
    )


def say_size(grid: Grid, digits: int) -> str:
    """Pixels and depth of a window of maps, or voxels of one of volumes."""
    pixel = f"{grid.pixel_mpch:.{digits}g} Mpc/h"
    if grid.dimensions == 3:
        return f"{' x '.join(map(str, grid.shape))} voxels of {pixel}"
    return f"{grid.window} pixels of {pixel}, {grid.depth_mpch:g} Mpc/h deep"


def say_redshift(card: ModelCard) -> str:
    """The redshift of the maps, or those between which it is a parameter."""
    redshift = card.matter_grid.redshift
    if redshift is not None:
        return f"redshift {redshift:g}"
    scale = card.normalisation.params[REDSHIFT]
    return f"redshift {scale.minimum:g} to {scale.maximum:g}"


def say_parameters(scales: Mapping[str, ParameterScale]) -> str:
    """Names with their ranges; of many, the first."""
    said = [
        f"{name} {scale.minimum:g} to {scale.maximum:g}{' (log)' if scale.log else ''}"
        for name, scale in scales.items()
    ]
    more = f", and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    return (", ".join(said[:_SHOWN]) + more) or "none"


def say_options(card: ModelCard, options: SamplingConfig) -> str:
    """Solver and number of evaluations, of a model that has one."""
    objective = card.facts.objective
    if objective in SOLVED:
        return f"{options.solver.name}, {options.n_steps} evaluations a member"
    if objective == "consistency":
        return f"{options.evaluations or EVALUATIONS} evaluations a member"
    return "one pass a member"
