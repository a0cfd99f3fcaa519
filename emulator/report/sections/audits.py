"""Audits: does the model use what it is given, does its law turn, do splits share anything."""

import json
from collections.abc import Iterable

import xarray as xr

from emulator.domain import Domain
from emulator.fields import Field
from emulator.report.figures import style
from emulator.report.page import Section, Table
from emulator.report.text import join, number, with_error, with_interval
from emulator.validation.audits.leaks import SAME

BEYOND, PERHAPS = 2.0, 1.0
"""Errors (halves of an interval of 68 %) from which on a number differs, and from which it may."""

RATIOS = {"context_ratio": "other surroundings", "params_ratio": "other parameters"}
TURN = "turn_difference"


def audits_section(audits: xr.Dataset) -> Section:
    """What ``audits.nc`` says of the model and of the splits; a sentence for each."""
    domain, why = style.domain_of_file(audits), json.loads(audits.attrs["left_out"])
    section = Section(
        "audits",
        "Audits",
        "Conditions are changed on purpose, to see whether the model uses them, and files are "
        "searched for what splits share. Numbers and sentences; no bars.",
    )
    if any(name in audits for name in (*RATIOS, TURN)):
        section.tables.append(_changes(audits))
    section.tables.append(_leaks(audits, domain))
    section.said = [
        *_said_of_ratios(audits),
        *_said_of_turns(audits),
        ("Splits", _said_of_leaks(audits, domain)),
    ]
    titles = {**RATIOS, TURN: "turned and mirrored", "leak_correlation": "maps at every shift"}
    section.missing = [
        f"{titles[name][:1].upper()}{titles[name][1:]}: {text}"
        for name, text in why.items()
        if name in titles
    ]
    return section


def _fields(audits: xr.Dataset) -> list[Field]:
    known = style.fields_of(audits)
    return [known[str(name)] for name in audits["channel"].values]


def _changes(audits: xr.Dataset) -> Table:
    fields, rows = _fields(audits), []
    for name, what in RATIOS.items():
        for scored in audits["scored"].values.astype(str) if name in audits else ():
            ratio = audits[name].sel(scored=scored)
            rows.append([f"{what}, {scored}", *_cells(ratio, fields)])
    if TURN in audits:
        rows.append(["turned and mirrored", *_cells(audits[TURN], fields)])
    attrs = audits.attrs
    windows = f"{attrs['n_windows']} windows of {attrs['n_simulations']} simulations"
    return Table(
        ["what is changed", *(field.label for field in fields)],
        rows,
        "Other surroundings, other parameters: CRPS of members over that with the right ones, of "
        "the same noise; 1: no use is made of them. Turned and mirrored: square of the difference "
        "of means between members of turned windows, turned back, and of the windows, over the "
        "variance of members, in logarithms; 0: the law turns with the window, and less is chance. "
        f"{windows}, {attrs['n_members']} members of each; intervals of 68 % from a jackknife over "
        f"{attrs['n_runs']} runs or groups.",
    )


def _cells(values: xr.DataArray, fields: Iterable[Field]) -> list[str]:
    return [with_interval(values.sel(channel=field.name).values, ".3f") for field in fields]


def _said_of_ratios(audits: xr.Dataset) -> list[tuple[str, str]]:
    share = float(audits.attrs.get("mass_difference", 0.0))
    given = {
        "context_ratio": ("Surroundings", "the surroundings of another window of the same mass "
                          f"(to {share:.1%} on average)"),
        "params_ratio": ("Parameters", "the parameters of another simulation (of the nearest mean "
                         "density, where that is a parameter)"),
    }  # fmt: skip
    found = []
    for name, (title, what) in given.items():
        if name in audits:
            found.append((title, f"With {what} {_worse(audits[name], _fields(audits))}"))
    return found


def _worse(ratio: xr.DataArray, fields: Iterable[Field]) -> str:
    """Where scores get worse, and by how many errors, in words."""
    seen: list[str] = []
    perhaps: list[str] = []
    known = False
    for scored in ratio["scored"].values.astype(str):
        for field in fields:
            value, error = _with_error(ratio.sel(scored=scored, channel=field.name))
            known = known or error == error
            text = f"{field.label} ({scored}) {with_error(value, error)}"
            if value - 1.0 > BEYOND * error:
                seen.append(text)
            elif value - 1.0 > PERHAPS * error:
                perhaps.append(text)
    if not known:
        return "members score as the table says; of one run there is no error to judge it by."
    if not seen and not perhaps:
        return "members score no worse than with the right ones: no use of them is seen."
    said = "the score of members is, in units of that with the right ones, worse"
    if seen:
        said += f" by more than two errors for {join(seen)}: they are used"
    if perhaps:
        said += f"{'; worse' if seen else ''} by one to two errors for {join(perhaps)}"
        said += "" if seen else ": a hint that they are used"
    return f"{said}."


def _said_of_turns(audits: xr.Dataset) -> list[tuple[str, str]]:
    if TURN not in audits:
        return []
    off, known = [], False
    for field in _fields(audits):
        value, error = _with_error(audits[TURN].sel(channel=field.name))
        known = known or error == error
        if value > BEYOND * error:
            off.append(f"{field.label} {with_error(value, error)}")
    text = "Members of turned and mirrored windows, turned back, "
    if not known:
        text += "differ as the table says; of one run there is no error to judge it by."
    elif off:
        text += f"have other means: the square of the difference is {join(off)} of the variance."
    else:
        text += "have the means of members of the windows, to within two errors."
    return [("Turns and mirrors", text)]


def _with_error(values: xr.DataArray) -> tuple[float, float]:
    value, low, high = (float(values.sel(estimate=name)) for name in ("value", "low", "high"))
    return value, (high - low) / 2.0


def _leaks(audits: xr.Dataset, domain: Domain) -> Table:
    header = ["splits", f"{domain.nouns.run}s in both", "equal maps"]
    has_maps = "leak_correlation" in audits
    if has_maps:
        header += ["largest correlation of phases", "by chance", "of"]
    rows = []
    for pair in audits["pair"].values.astype(str):
        of_pair = audits.sel(pair=pair)
        row = [pair, *(f"{int(of_pair[name])}" for name in ("leak_runs", "leak_maps"))]
        if has_maps:
            row += [number(float(of_pair[f"leak_{name}"])) for name in ("correlation", "chance")]
            row.append(str(of_pair["leak_closest"].item()))
        rows.append(row)
    said = f"What two splits share, from the maps of the {domain.nouns.condition} alone. Good: 0."
    if has_maps:
        said += (
            " The correlation of phases is the largest over all pairs of maps and all shifts (and "
            "turns and mirrors, where pairs are few enough); a copy reaches 0.4 or more at any "
            f"shift. Good: as by chance, below {SAME:g}."
        )
    return Table(header, rows, said)


def _said_of_leaks(audits: xr.Dataset, domain: Domain) -> str:
    run = domain.nouns.run
    found = []
    for pair in audits["pair"].values.astype(str):
        of_pair, what = audits.sel(pair=pair), []
        if n_runs := int(of_pair["leak_runs"]):
            what.append(f"{n_runs} {run}{'s' if n_runs > 1 else ''}")
        if n_maps := int(of_pair["leak_maps"]):
            what.append(f"{n_maps} equal map{'s' if n_maps > 1 else ''}")
        if "leak_correlation" in audits and float(of_pair["leak_correlation"]) > SAME:
            what.append(f"maps of {of_pair['leak_closest'].item()}, one universe")
        if what:
            found.append(f"{pair.replace(', ', ' and ')} share {join(what)}")
    if found:
        return f"LEAK: {'; '.join(found)}. Numbers of this page flatter the model."
    text = f"No {run} is in two splits, and no map of one is found in another."
    if "leak_correlation" in audits:
        largest = float(audits["leak_correlation"].max())
        text += (
            f" The largest correlation of phases at any shift is {largest:.2f}, where chance gives "
            f"{float(audits['leak_chance'].max()):.2f}."
        )
    return text
