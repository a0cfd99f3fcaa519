"""Packages that only some users need: asked for where they are needed, by name and remedy."""

from importlib.util import find_spec

from emulator.io.errors import EmulatorError


def require_extra(package: str, extra: str, what: str) -> None:
    """Refuse to go on without a package of an extra.

    Parameters
    ----------
    package
        As it is imported.
    extra
        Of this project, that brings it.
    what
        What it is needed for, for the message.

    Raises
    ------
    EmulatorError
        If it is not installed.
    """
    if find_spec(package) is None:
        raise EmulatorError(
            f"{what} needs the package {package}, which is not installed: "
            f"pip install 'emulator-pipeline[{extra}]' (in a checkout: pip install '.[{extra}]')"
        )
