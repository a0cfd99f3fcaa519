"""Build ``report.html``: one page that needs no network, from the files of a results folder."""

from pathlib import Path

from emulator.report.inputs import read_inputs
from emulator.report.overview import describe_run
from emulator.report.render import write_page
from emulator.report.sections import build_sections, validation_config


def build_report(results: Path, output: Path, *, maps_dir: Path) -> None:
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

    Raises
    ------
    DataError
        If a required file is missing or damaged.
    """
    inputs = read_inputs(Path(results), Path(maps_dir))
    config = validation_config(inputs.metrics)
    write_page(
        "report.html.j2",
        output,
        **describe_run(inputs, config),
        sections=build_sections(inputs, config),
    )
