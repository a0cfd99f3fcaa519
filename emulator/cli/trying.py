"""The command for the first minute: draw from the model that comes with the package, and look."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emulator.cli.options import AS_PATH

if TYPE_CHECKING:
    import xarray as xr


def try_out(
    output: Annotated[Path, typer.Option(help="The picture.", **AS_PATH)] = Path("try.png"),
    members: Annotated[int, typer.Option(min=2, help="How many.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Of the ensemble.")] = 0,
) -> None:
    """Draw the heaviest window of the example by the reference model, and picture it.

    No data and no training: model and example come with the package. (The variable EMULATOR_MODEL
    names another model.)
    """
    from emulator.io import atomic_path, require_extra
    from emulator.report.plot import plot
    from emulator.sampling.first_look import draw_example

    require_extra("matplotlib", "report", "emulator try")
    drawn = draw_example(members, seed)
    with atomic_path(output) as partial:
        plot(drawn).savefig(partial, dpi=100)
    typer.echo(f"{output}: {_told(drawn)}")


def _told(drawn: "xr.Dataset") -> str:
    """What is seen, in three lines."""
    attrs = drawn.attrs
    row, column = drawn["centre"].values[0].tolist()
    masses, true = (drawn[name].isel(sample=0).sum(("y", "x")) for name in ("fields", "truth"))
    mean, spread = masses.mean("member"), masses.std("member", ddof=1)
    cells = [
        f"{name} {m:.3g} ± {s:.1g} (truth {t:.3g})"
        for name, m, s, t in zip(
            drawn["channel"].values, mean.values, spread.values, true.values, strict=True
        )
    ]
    return "\n".join(
        (
            f"given dark matter of the held-out box {attrs['simulation']}, around pixel ({row}, "
            f"{column}), {drawn.sizes['member']} draws of {', '.join(drawn['channel'].values)}",
            f"mass of the window [Msun/h]: {', '.join(cells)}",
            "condition, truth, one member, mean and scatter: members agree where the dark matter "
            "decides, and differ where it does not",
        )
    )
