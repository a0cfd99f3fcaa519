"""Provenance: who wrote a file, from what, with which versions.

Attributes are plain scalars and strings, so that every HDF5 or netCDF reader can show them. No time
stamp is written: the same inputs give the same bytes.
"""

import functools
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

VERSION = "0.2.0"
"""Of this package: the one place where it stands; pyproject.toml reads it here."""

SURROGATE_NOTICE = (
    "surrogate hydro: N-body gravity plus baryonification by the embedded suite; "
    "not a hydrodynamic simulation"
)

TWO_MESHES_NOTICE = (
    "surrogate of two resolutions: particle-mesh gravity of the embedded suite on a coarse and on "
    "a finer mesh, neither converged on the smallest scales"
)


@functools.lru_cache(maxsize=1)
def commit() -> str:
    """Commit of this checkout, ``-changed`` behind it if files differ; empty if it is none."""
    here = Path(__file__).resolve().parents[1]
    if not (here / ".git").exists():
        return ""
    try:
        found, changed = (
            subprocess.run(
                ["git", *words], cwd=here, capture_output=True, text=True, check=True, timeout=30
            ).stdout.strip()
            for words in (
                ("rev-parse", "HEAD"),
                ("status", "--porcelain", "--untracked-files=no"),
            )
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{found}-changed" if changed else found


def provenance(stage: str, **facts: Any) -> dict[str, str]:
    """Attributes that say which stage wrote a file and from what.

    Parameters
    ----------
    stage
        Name of the stage, as in the command line (``simulate``, ``project``, ...).
    facts
        Anything JSON can hold: seeds, source files, hashes.

    Returns
    -------
    Mapping of attribute names to strings, to be merged into ``attrs``.
    """
    return {
        "emulator_version": VERSION,
        "stage": stage,
        "provenance": json.dumps(facts, sort_keys=True, default=str),
    }


def fingerprint(value: Any, *, length: int = 12) -> str:
    """First ``length`` hex digits of the SHA-256 of a JSON-able value with sorted keys."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:length]
