"""The whole check: every simulation, what they need, and the findings between them."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from emulator.checks.needs import needs_of_maps
from emulator.config import ExperimentConfig, set_of
from emulator.data.splits import split_runs
from emulator.progress import track
from emulator.suites import suite_of
from emulator.suites.findings import Finding, Inspection, Level

Particles = Literal["none", "first", "all"]


class Check(NamedTuple):
    """Result of a check."""

    name: str
    root: str
    inspections: list[Inspection]
    needs: dict[str, Any]
    findings: list[Finding]
    has_twins: bool = True
    """Whether there are pairs; else targets to be painted."""
    n_runs: int = 0
    """Groups of simulations with phases of their own; a split separates no group."""

    @property
    def n_errors(self) -> int:
        """Number of findings that are errors."""
        return sum(finding.level is Level.ERROR for finding in self.findings)


def check_suite(
    config: ExperimentConfig, root: str | Path | None, *, particles: Particles
) -> Check:
    """Inspect every simulation of a suite.

    Parameters
    ----------
    config
        The experiment.
    root
        Folder above the files; None: where the config says.
    particles
        Whose particles are read: of no simulation, of the first of each set, of all.

    Returns
    -------
    Check
        All findings; no fault of the data is raised.
    """
    suite = suite_of(config, root)
    root = suite.root
    if not root.is_dir():
        absent = Finding(
            Level.ERROR,
            "root",
            "",
            f"{root}: expected the folder of the suite (suite.root, or --raw), got no such folder",
        )
        needs = needs_of_maps(config, suite, [], ())
        return Check(config.name, str(root), [], needs, [absent], suite.has_twins)
    names = suite.simulations
    firsts = {set_of(name): name for name in reversed(names)}
    deep = {"none": set(), "first": set(firsts.values()), "all": set(names)}[particles]
    inspections = [
        suite.inspect(config.data, name, deep=name in deep)
        for name in track(names, "check", len(names))
    ]
    suite_wide = Inspection("")
    # without a parameter table that can be read, the simulations have told why
    runs = Inspection("").attempt("phases", lambda: suite.runs)
    split = partial(split_runs, runs or {name: (name,) for name in names}, config.data.split)
    splits = suite_wide.attempt("split", split) if suite.has_twins else None
    needs = needs_of_maps(config, suite, inspections, (splits or {}).get("test", ()))
    total = sum(_particles(found) for found in inspections)
    for found in [found for found in inspections if not _has_errors(found)][:1]:
        work = partial(suite.probe_projection, config.data, found.simulation, total)
        needs |= found.attempt("probe", work) or {}
    for found in inspections:
        if suite.has_twins:  # those of targets are asked for by the model that paints them
            _require_model_params(found, config.model.params)
    findings = [finding for found in (suite_wide, *inspections) for finding in found.findings]
    n_runs = len(runs) if runs else len(names)
    return Check(config.name, str(root), inspections, needs, findings, suite.has_twins, n_runs)


def _has_errors(found: Inspection) -> bool:
    return any(finding.level is Level.ERROR for finding in found.findings)


def _require_model_params(found: Inspection, names: Sequence[str]) -> None:
    params = found.facts.get("params", {})
    missing = [name for name in names if name not in params]
    # without any parameters, the reader has told why
    if params and missing:
        found.add(
            Level.ERROR,
            "model.params",
            f"model.params: expected parameters of the table ({', '.join(params)}), "
            f"got {', '.join(missing)}, too",
        )


def _particles(found: Inspection) -> int:
    """Particles that a projection reads."""
    dmo, hydro = found.facts.get("dmo"), found.facts.get("hydro")
    counts = [dmo["particles"].get("1", 0)] if dmo else []
    counts += [hydro["particles"].get(kind, 0) for kind in "014"] if hydro else []
    return sum(counts)
