"""The README's picture, from the results of the demo: ``python -m analysis.readme_picture``."""

from pathlib import Path

from emulator.report.figures.maps import plot_maps
from emulator.report.inputs import choose_windows


def main() -> None:
    """Draw the heaviest window that the report shows."""
    results = Path("results/demo")
    paths = sorted(results.glob("ensembles/test/*.nc"))
    shown = choose_windows(paths, results)[0]
    output = Path("docs/images/demo_maps.png")
    output.parent.mkdir(parents=True, exist_ok=True)
    plot_maps(shown.ensemble, shown.sample).savefig(output, dpi=80)


if __name__ == "__main__":
    main()
