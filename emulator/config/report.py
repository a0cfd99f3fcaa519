"""``report``: what the page shows beside the run itself."""

from pathlib import Path

from pydantic import Field

from emulator.config.section import ConfigError, FilePath, Section

FILES = ("metrics.nc", "acceptance.json")
"""Of a run that was judged."""


class ReportConfig(Section):
    """The page; read by the workflow and by `emulator report`, and it changes no number."""

    previous: tuple[FilePath, ...] = Field(
        (),
        description="folders of results of earlier runs on the same held-out simulations, which "
        "the page compares this run with and the target `compare` puts side by side; the first is "
        "the reference",
    )

    def faults(self, own: Path) -> list[str]:
        """What is wrong with the folders, that of the run itself given."""
        folders = [Path(folder) for folder in self.previous]
        found = [
            f"report.previous names {folder}, where this run writes its own results: name another "
            "run"
            for folder in folders
            if folder == own
        ]
        if len(set(folders)) < len(folders):
            found.append(f"report.previous must not repeat, got {', '.join(map(str, folders))}")
        return found


def previous_files(config: ReportConfig) -> list[str]:
    """Files of the earlier runs that a comparison is made from.

    Raises
    ------
    ConfigError
        A folder without them.
    """
    paths = [Path(folder) / name for folder in config.previous for name in FILES]
    for path in paths:
        if not path.is_file():
            raise ConfigError(
                f"report.previous {path.parent}: expected results of a run that was validated, got "
                f"no {path.name}: run the workflow of its config first, or leave it out"
            )
    return [str(path) for path in paths]
