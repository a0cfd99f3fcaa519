"""How the draws of each model were corrected, and what that changed on the validation split."""

from collections.abc import Mapping

from emulator.fields import Field
from emulator.model.calibration import Calibration, said
from emulator.report.figures import style
from emulator.report.figures.noise_scale import plot_noise_scale
from emulator.report.inputs import Inputs
from emulator.report.numbers import cell, to_csv
from emulator.report.page import Section, Table, encode_figure


def noise_scale_sections(inputs: Inputs) -> list[Section]:
    """One section; none where the members were drawn as the models were trained."""
    if not inputs.calibrations:
        return []
    fields = style.fields_of(inputs.metrics)
    section = Section(
        "noise-scale",
        "The noise that was calibrated",
        "After training, the noise of each field was scaled so that the spread of the members fits "
        "the error of their mean, on the validation split. No held-out simulation was looked at.",
    )
    for name, found in inputs.calibrations.items():
        section.pictures.append(
            encode_figure(
                plot_noise_scale(found, fields),
                alt=f"Spread over skill against the side of squares before and after, {name}",
                caption=f"{name[:1].upper()}{name[1:]}: spread over skill of pixels and of means "
                f"over squares, corrected for the size of the ensemble, on {found.windows} windows "
                f"of {len(found.simulations)} validation simulations, {found.members} members. "
                "Good: full lines are at 1 at every side, and nearer to it than dashed ones. No "
                "bar: the factors were fitted here, and are judged on the held-out simulations.",
                numbers=to_csv(
                    ["field", "side", "before", "after"],
                    [
                        map(cell, (row.field, row.side, row.before, row.after))
                        for row in found.spread
                    ],
                ),
            )
        )
        section.tables.append(_table(name, found, fields))
    return [section]


def _table(name: str, found: Calibration, fields: Mapping[str, Field]) -> Table:
    sides = sorted({row.side for row in found.spread})
    header = ["field", "noise times", *(f"{side} px" for side in sides), "occupied [%]"]
    return Table(
        header,
        [_row(field, found, sides, fields[field].label) for field in found.names],
        f"{name[:1].upper()}{name[1:]}: factors of the noise (of a one-step ensemble: of 0, 1 and "
        "2 pixels length), spread over skill by side of the squares, and the share of occupied "
        "pixels; before → after.",
    )


def _row(name: str, found: Calibration, sides: list[int], label: str) -> list[str]:
    rows = {row.side: row for row in found.spread if row.field == name}
    ratios = [f"{said(rows[side].before)} → {said(rows[side].after)}" for side in sides]
    factors = ", ".join(f"{factor:.3f}" for factor in found.factors[name])
    share = found.occupied.get(name)
    occupied = (
        ""
        if share is None
        else f"{100 * share.before:.2f} → {100 * share.after:.2f}; truth {100 * share.truth:.2f}"
    )
    return [label, factors, *ratios, occupied]
