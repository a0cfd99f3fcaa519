"""Which solver was found for each model, and the errors of all that were tried."""

from emulator.model.found_solver import FoundSolver, Measured
from emulator.report.figures.found_solver import plot_found_solver
from emulator.report.inputs import Inputs
from emulator.report.numbers import cell, to_csv
from emulator.report.page import Section, Table, encode_figure
from emulator.report.text import UNKNOWN


def solvers_sections(inputs: Inputs) -> list[Section]:
    """One section; none where the config names the solver, so that none was looked for."""
    if not inputs.solvers:
        return []
    section = Section(
        "solver",
        "The solver that was found",
        "After training, the error of the solver alone was measured on the validation split: "
        "against many evaluations of the same network from the same noise.",
    )
    for name, found in inputs.solvers.items():
        section.pictures.append(
            encode_figure(
                plot_found_solver(found),
                alt=f"Error of power and CRPS against network evaluations of every solver, {name}",
                caption=f"{name[:1].upper()}{name[1:]}: largest error of the mean power (any "
                f"field, k = {found.wave_numbers}) and of the CRPS, "
                f"on {found.windows} windows of {len(found.simulations)} simulations, "
                f"{found.members} members. Good: errors fall with the evaluations and pass below "
                f"the lines of the budget. {_verdict(found)}",
                numbers=_numbers(found),
            )
        )
        section.tables.append(_table(name, found))
    return [section]


def _numbers(found: FoundSolver) -> str:
    header = ["solver", "evaluations", "largest_power_error", "largest_crps_change", "ms_a_member"]
    rows = [
        [
            row.setting.label,
            row.setting.n_steps,
            *map(cell, (row.largest_spectrum_error, row.largest_crps_change, row.ms_per_member)),
        ]
        for row in found.table
    ]
    return to_csv(header, rows)


def _verdict(found: FoundSolver) -> str:
    setting = found.setting
    drawn = f"The ring marks what draws: {setting.label}, {setting.n_steps} evaluations"
    if found.within_budget:
        return f"{drawn}, the fewest that are within the budget, and stay so with more."
    return f"{drawn}. NO setting is within the budget; this one is closest."


def _table(name: str, found: FoundSolver) -> Table:
    fields = list(found.row.spectrum_error)
    header = ["solver", "evaluations", *(f"P, {f} [%]" for f in fields), "CRPS [%]", "ms a member"]
    return Table(
        header,
        [_row(row, fields, marked=row.setting == found.setting) for row in found.table],
        f"{name[:1].upper()}{name[1:]}: errors against {found.reference.n_steps} evaluations of "
        f"{found.reference.label}, with their standard errors; → is what draws. Times are of "
        f"{found.device}.",
    )


def _row(row: Measured, fields: list[str], *, marked: bool) -> list[str]:
    solver = f"→ {row.setting.label}" if marked else row.setting.label
    power = [_percent(row.spectrum_error.get(f), row.spectrum_noise.get(f)) for f in fields]
    change = UNKNOWN if row.fault else f"{100 * row.largest_crps_change:.2f}"
    return [solver, str(row.setting.n_steps), *power, change, f"{row.ms_per_member:.3g}"]


def _percent(error: float | None, noise: float | None) -> str:
    if error is None:
        return UNKNOWN
    return f"{100 * error:.2f}" + ("" if noise is None else f" ± {100 * noise:.2f}")
