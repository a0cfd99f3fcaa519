"""Compiled functions: numba's ``njit``, cached on disk wherever there is a place for it.

Numba refuses to compile at all where it finds no folder for its cache: neither beside the source
(an installed package that belongs to root) nor in a home folder (a container without one). Then the
functions are compiled anew in each process, which takes seconds and is no reason to stop.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def njit(**options: Any) -> Callable[[Function], Function]:
    """Decorate a function to be compiled without Python objects; ``options`` are numba's."""

    def decorate(function: Function) -> Function:
        try:
            compiled: Function = numba.njit(cache=True, **options)(function)
        except RuntimeError as error:
            if "no locator available" not in str(error):
                raise
            compiled = numba.njit(**options)(function)
        return compiled

    return decorate
