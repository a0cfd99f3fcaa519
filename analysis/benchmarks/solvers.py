r"""What each solver costs and reaches, on a field whose answers are exact: docs/solvers.md.

``python -m analysis.benchmarks.solvers [errors] [step] [network]`` writes the sections of the page.
``errors`` runs every solver on the Gaussian field of :mod:`analysis.benchmarks.gaussian_field`,
unconditional and conditional, with 4 to 1000 network evaluations: nothing is random, and the same
figures come out on every machine. ``step`` is the time of a step, ``network`` the errors with a
trained network (after ``make demo``). Without arguments, the first two run.
"""

import sys
from dataclasses import dataclass
from pathlib import Path as FilePath

import numpy as np

from analysis.benchmarks.gaussian_field import GaussianField, build_field, run_exactly
from analysis.benchmarks.solver_network import measure_network
from analysis.benchmarks.solver_step import measure_step
from emulator.config.solvers import AdamsMoultonConfig, EulerConfig, LogisticSpacing
from emulator.diffusion.path import Path
from emulator.diffusion.solvers import Solver, Spacing, build_solver, build_spacing, gamma_grid
from emulator.io import write_text

DOCS = FilePath(__file__).parents[2] / "docs"
GAMMA_MAX, GAMMA_MIN, TOLERANCE = 13.0, -13.3, 0.01
NFES = (
    4, 6, 8, 10, 12, 14, 16, 18, 20, 25, 30, 32, 40, 50, 64, 80, 100, 125, 160, 200, 250, 320, 400,
    500, 640, 800, 1000,
)  # fmt: skip
SHOWN = (8, 12, 16, 20, 32, 50, 100, 250, 1000)


@dataclass(frozen=True)
class Row:
    """A solver with its grid, as the table names it."""

    label: str
    solver: Solver
    spacing: Spacing | None = None
    gamma_end: float = GAMMA_MIN
    gamma_start: float = GAMMA_MAX
    exact_start: bool = False


def rows() -> list[Row]:
    """Every solver on the usual grid, and the better grids and starts."""
    uniform = [
        Row(name, build_solver(name))
        for name in ("ancestral", "ddim", "pc", "sde-dpm++2m", "heun", "dpm++2m", "ab2", "ab3",
                     "unipc2", "unipc3", "abm2", "abm3", "abm4")
    ]  # fmt: skip
    flow, karras = build_spacing("logistic"), build_spacing("karras")
    return [
        *uniform,
        Row("euler, linear path (= ddim)", build_solver("euler", path=Path("linear"))),
        Row("heun, linear path", build_solver("heun", path=Path("linear"))),
        Row("heun, churn 0.05", build_solver(EulerConfig(name="heun", churn=0.05))),
        Row("heun, karras", build_solver("heun"), karras),
        Row("unipc3, karras", build_solver("unipc3"), karras),
        Row("unipc3, to gamma -8", build_solver("unipc3"), gamma_end=-8.0),
        Row("abm2, logistic", build_solver("abm2"), flow),
        Row("abm2, logistic, to gamma -8", build_solver("abm2"), flow, -8.0),
        Row("abm4, logistic", build_solver("abm4"), flow),
        Row("abm2, logistic, centre 1", build_solver(AdamsMoultonConfig(name="abm2", centre=1.0)),
            Spacing(LogisticSpacing(name="logistic", centre=1.0))),
        Row("abm4, logistic, centre 0.5", build_solver(AdamsMoultonConfig(name="abm4", centre=0.5)),
            Spacing(LogisticSpacing(name="logistic", centre=0.5))),
        Row("unipc3 from gamma 5, N(0, I)", build_solver("unipc3"), gamma_start=5.0),
        Row("unipc3 from gamma 5, exact marginal", build_solver("unipc3"), gamma_start=5.0,
            exact_start=True),
    ]  # fmt: skip


def errors(field: GaussianField, row: Row, budgets: tuple[int, ...] = NFES) -> np.ndarray:
    """Largest relative error of power or response on any k, for each budget of evaluations."""
    found = []
    for budget in budgets:
        grid = gamma_grid(row.gamma_start, row.gamma_end, row.solver.nodes(budget), row.spacing)
        outcome = run_exactly(field, row.solver, grid, exact_start=row.exact_start)
        found.append(max(outcome.power_error, outcome.response_error))
    return np.array(found)


def _first(found: np.ndarray) -> int | None:
    good = np.flatnonzero(found < TOLERANCE)
    return NFES[good[0]] if len(good) else None


def measure_errors() -> str:
    """Run everything; draws the figure and returns the tables. A minute."""
    from emulator.report.figures.solvers import plot_solvers

    fields = {"plain": build_field(), "conditional": build_field(conditional=True)}
    measured = {}
    for row in rows():
        print(f"running {row.label}", file=sys.stderr, flush=True)
        measured[row.label] = {name: errors(field, row) for name, field in fields.items()}
    plot_solvers(np.array(NFES), measured, TOLERANCE, DOCS / "images/solvers.png")
    return _table(measured)


def main() -> None:
    """Measure the sections named on the command line and write them into the docs."""
    sections = {"errors": measure_errors, "step": measure_step, "network": measure_network}
    chosen = sys.argv[1:] or ["errors", "step"]
    if unknown := sorted(set(chosen) - set(sections)):
        sys.exit(f"no such section: {', '.join(unknown)}; there are {', '.join(sections)}")
    page = DOCS / "solvers.md"
    for name in chosen:
        head, mark, rest = page.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")
        if not mark:
            sys.exit(f"{page}: expected a line '<!-- {name} -->', below which its table goes")
        _, following, tail = rest.partition("<!--")
        write_text(page, head + mark + sections[name]() + "\n" * bool(following) + following + tail)


def _table(measured: dict[str, dict[str, np.ndarray]]) -> str:
    shown = [NFES.index(n) for n in SHOWN]
    lines = []
    for name in ("plain", "conditional"):
        lines += [
            f"\n### {'Unconditional' if name == 'plain' else 'Conditional'} field\n",
            "| solver | " + " | ".join(map(str, SHOWN)) + " | for 1 % |",
            "| --- |" + " ---: |" * (len(SHOWN) + 1),
        ]
        for label, by_field in measured.items():
            found = by_field[name]
            cells = [_percent(found[i]) for i in shown]
            needed = _first(found)
            lines.append(f"| {label} | " + " | ".join(cells) + f" | {needed or 'never'} |")
    return "\n".join(lines) + "\n"


def _percent(error: float) -> str:
    if error >= 1.0:
        return ">100"
    return f"{100 * error:.1f}" if error >= 0.1 else f"{100 * error:.2f}"


if __name__ == "__main__":
    main()
