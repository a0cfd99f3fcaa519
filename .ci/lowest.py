"""Print the lower bounds of pyproject.toml as pins, for ``make test-lowest``.

Extras that pull in a workflow or another framework are left out: ``workflow``, ``inference``,
``cluster`` and ``bench``. Tools that only check the code stay free: their versions decide nothing
of what a user runs. A pin has no local label: of torch, pip takes ``+cpu`` where an index has it.
"""

import re
import tomllib
from pathlib import Path

EXTRAS = ("pipeline", "report", "formats", "dev")
TOOLS = {"import-linter", "mypy", "ruff", "snakefmt"}


def lower_bounds(project: dict) -> dict[str, str]:
    """Lowest version that each dependency may have, by its name; those without a bound are free."""
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(entry for name in EXTRAS for entry in extras[name])]
    found = (re.fullmatch(r"([A-Za-z0-9._-]+)>=([0-9.]+)", entry) for entry in wanted)
    return {match[1]: match[2] for match in found if match and match[1] not in TOOLS}


if __name__ == "__main__":
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    for name, version in sorted(lower_bounds(tomllib.loads(text)["project"]).items()):
        print(f"{name}=={version}")
