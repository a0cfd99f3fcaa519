"""The command that infers parameters from fields."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from emulator.cli.options import AS_MODEL, AS_PATH, OF_MODEL
from emulator.io import DataError, EmulatorError

if TYPE_CHECKING:
    import xarray as xr


def infer(
    model: Annotated[Path, typer.Argument(help=OF_MODEL, **AS_MODEL)],
    source: Annotated[
        Path,
        typer.Argument(
            help="File of windows with condition, large_scale, params and fields: an ensemble of "
            "the pipeline (ensembles/SPLIT/SIMULATION.nc).",
            **AS_PATH,
        ),
    ],
    free: Annotated[
        list[str],
        typer.Option(help="Parameter to infer; repeatable. The others are those of the file."),
    ],
    output: Annotated[Path, typer.Option(help="File of the posterior (.nc).", **AS_PATH)],
    observed: Annotated[
        Literal["truth", "fields"],
        typer.Option(help="What is observed: the truth of the file, or its first member."),
    ] = "truth",
    window: Annotated[
        list[int] | None, typer.Option(min=0, help="Number of a window [all]; repeatable.")
    ] = None,
    method: Annotated[
        Literal["simulation", "likelihood"],
        typer.Option(help="Train on fields that the model draws, or weigh by its density."),
    ] = "simulation",
    simulations: Annotated[
        int, typer.Option(min=2, help="Fields to train on; of likelihood, draws of the prior.")
    ] = 2000,
    draws: Annotated[int, typer.Option(min=2, help="Of the posterior, by simulation.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 0,
    each: Annotated[
        bool, typer.Option("--each", help="A posterior of each window, not one of all together.")
    ] = False,
) -> None:
    """Infer parameters from fields, given the dark matter that they belong to.

    Windows of a file are of one set of parameters. Prints mean and 68 % interval beside the values
    of the file.
    """
    from emulator.inference.posterior import intervals
    from emulator.io import read_dataset, write_dataset
    from emulator.sampling.loading import load

    windows = _chosen(read_dataset(source), source, observed, window)
    names = windows["parameter"].values.tolist()
    rows = [dict(zip(names, row, strict=True)) for row in windows["params"].values.tolist()]
    if unknown := [name for name in free if name not in names]:
        raise EmulatorError(f"--free: {source} has the parameters {names}, got {unknown}")
    if not each and any(row != rows[0] for row in rows):
        raise EmulatorError(f"{source}: its windows have different parameters: pass --each")
    known = [{name: row[name] for name in names if name not in free} for row in rows]
    values = windows[observed].values
    found = load(model).infer(
        values if observed == "truth" else values[:, 0], windows, known, method=method,
        together=not each, n_simulations=simulations, n_draws=draws, seed=seed,
        truth=rows if each else rows[0], progress=True,
    )  # fmt: skip
    write_dataset(found, output)
    table = intervals(found)
    typer.echo(
        f"{'':8s}{'parameter':16s}{'mean':>9s}{'68 % interval':>22s}{'file':>9s}{'rank':>7s}"
    )
    for place in range(len(rows) if each else 1):
        here, one = (part.isel(sample=place) if each else part for part in (table, found))
        for name in found["param"].values.tolist():
            mean, low, high = (float(here[key].sel(param=name)) for key in ("mean", "low", "high"))
            true, rank = (float(one[key].sel(param=name)) for key in ("truth", "rank"))
            label = str(place) if each else ""
            typer.echo(
                f"{label:8s}{name:16s}{mean:9.4g}{low:>10.4g} to {high:<8.4g}{true:9.4g}{rank:7.2f}"
            )
    typer.echo(output)


def _chosen(
    windows: "xr.Dataset", source: Path, observed: str, numbers: list[int] | None
) -> "xr.Dataset":
    """The windows that were asked for, if the file holds what is needed."""
    needed = ("condition", "large_scale", "params", observed)
    if missing := [name for name in needed if name not in windows]:
        raise DataError(
            source, f"variables {', '.join(needed)}", f"none of {', '.join(missing)}",
            "An ensemble of the pipeline has them.",
        )  # fmt: skip
    n_windows = windows.sizes["sample"]
    if beyond := [number for number in numbers or [] if number >= n_windows]:
        raise EmulatorError(f"--window: {source} has {n_windows} windows, got {beyond}")
    return windows if not numbers else windows.isel(sample=numbers)
