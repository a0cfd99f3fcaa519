"""A picture of drawn windows, for whoever has just drawn them."""

from typing import TYPE_CHECKING

from emulator.io import EmulatorError, require_extra

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def plot(ensemble: "xr.Dataset", sample: int = 0, member: int = 0) -> "Figure":
    """A window of an ensemble: condition, one member, mean and scatter; and the truth if known.

    Parameters
    ----------
    ensemble
        As :meth:`emulator.Emulator.sample` returns it; ``truth (sample, channel, y, x)`` is shown
        if it holds one.
    sample, member
        Number of the window, and of the member.

    Returns
    -------
    A figure of matplotlib: notebooks show it, ``.savefig(path)`` writes it.

    Raises
    ------
    EmulatorError
        Without matplotlib (extra ``report``), an ensemble of fewer than two members or of volumes,
        or a number that is not there.
    """
    require_extra("matplotlib", "report", "emulator.plot")
    from emulator.report.figures.maps import plot_maps

    if "fields" not in ensemble or not {"member", "channel", "y", "x"} <= set(ensemble.fields.dims):
        raise EmulatorError("plot: expected an ensemble of maps, as sample() returns it")
    if "z" in ensemble.fields.dims:
        raise EmulatorError("plot: expected an ensemble of maps, got one of volumes")
    if ensemble.sizes["member"] < 2:
        raise EmulatorError("plot: expected two members or more, which have a scatter, got one")
    for name, number in (("sample", sample), ("member", member)):
        if not 0 <= number < ensemble.sizes[name]:
            raise EmulatorError(
                f"plot: {name} {number} is not among the {ensemble.sizes[name]} of the ensemble"
            )
    return plot_maps(ensemble, sample, member)
