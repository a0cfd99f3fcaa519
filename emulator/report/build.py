"""Build ``report.html``: one page that needs no network, from the files of a results folder."""

from collections.abc import Sequence
from pathlib import Path

from emulator.report.inputs import read_inputs
from emulator.report.overview import describe_run
from emulator.report.page import Section
from emulator.report.render import write_page
from emulator.report.sections import build_sections, validation_config


def build_report(
    results: Path, output: Path, *, maps_dir: Path, previous: Sequence[Path] = ()
) -> None:
    """Read a results folder and write one self-contained HTML page.

    Parameters
    ----------
    results
        Folder with ``metrics.nc``, ``acceptance.json`` and ``ensembles/test/*.nc``; ``model/``,
        ``splits.json`` and ``benchmarks/`` if they exist.
    output
        The page to write.
    maps_dir
        Folder of ``{simulation}.h5``, for the picture of a whole box.
    previous
        Folders of results of earlier runs to compare with; the first is the reference.

    Raises
    ------
    DataError
        If a required file is missing or damaged, or an earlier run does not compare
        (:func:`emulator.report.compare.same_truths.align`).
    """
    inputs = read_inputs(Path(results), Path(maps_dir))
    config = validation_config(inputs.metrics)
    beside = _beside([*previous, Path(results)]) if previous else None
    write_page(
        "report.html.j2",
        output,
        **describe_run(inputs, config),
        sections=build_sections(inputs, config, beside),
    )


def _beside(folders: Sequence[Path]) -> Section:
    """Earlier runs and this one; bundles are read for it, and torch is loaded: only if asked."""
    from emulator.report.compare.comparison import compare
    from emulator.report.sections.previous import previous_section

    return previous_section(compare(folders))
