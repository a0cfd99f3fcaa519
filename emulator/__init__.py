"""An emulator pipeline for conditional fields: from a dark-matter-only field to hydrodynamic ones.

``emulator.load(path)`` returns an :class:`Emulator` (or a :class:`Mixture` of several);
``emulator.sample(condition, params)`` draws from the default model; ``emulator.simulator(model,
...)`` makes a simulator of a model, for inference. Importing this package is
light: torch is loaded on first use.
"""

from typing import TYPE_CHECKING, Any

from emulator.metadata import VERSION

if TYPE_CHECKING:
    from emulator.sampling.ensemble import Emulator
    from emulator.sampling.loading import load, sample, simulator
    from emulator.sampling.mixture import Mixture

__all__ = ["Emulator", "Mixture", "load", "sample", "simulator"]
__version__ = VERSION


def __getattr__(name: str) -> Any:
    """Load the sampling layer, and with it torch, only when it is asked for."""
    if name in __all__:
        from emulator.sampling import loading

        return getattr(loading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
