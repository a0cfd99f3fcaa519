"""An emulator pipeline for conditional fields: from a dark-matter-only field to hydrodynamic ones.

``emulator.load(path)`` returns an :class:`Emulator` (or a :class:`Mixture` of several), without a
path the default model; ``emulator.example()`` is a box that it may be given, and
``emulator.sample(condition, params)`` draws from it; ``emulator.plot(fields)`` shows a window.
``emulator.simulator(model, ...)`` makes a simulator of a model, for inference. Importing this
package is light: torch is loaded on first use.
"""

from typing import TYPE_CHECKING, Any

from emulator.metadata import VERSION

if TYPE_CHECKING:
    from emulator.report.plot import plot
    from emulator.sampling.ensemble import Emulator
    from emulator.sampling.loading import example, load, sample, simulator
    from emulator.sampling.mixture import Mixture

__all__ = ["Emulator", "Mixture", "example", "load", "plot", "sample", "simulator"]
__version__ = VERSION


def __getattr__(name: str) -> Any:
    """Load the sampling layer, and with it torch, only when it is asked for."""
    if name == "plot":
        from emulator.report.plot import plot

        return plot
    if name in __all__:
        from emulator.sampling import loading

        return getattr(loading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
