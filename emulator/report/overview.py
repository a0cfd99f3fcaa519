"""What stands above and below the figures: facts, verdict, provenance."""

import json
import os
import platform
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr

from emulator.config import set_of
from emulator.domain import pixel_of
from emulator.fields import of_dark_matter_alone
from emulator.metadata import commit
from emulator.model.kinds import KINDS
from emulator.report.bars import bar_interval, bar_threshold, bar_value
from emulator.report.figures.style import fields_of
from emulator.report.findings import find
from emulator.report.groups import group_bars
from emulator.report.inputs import Inputs
from emulator.report.page import Section, Table
from emulator.report.text import join

PACKAGES = ("torch", "numpy", "scipy", "xarray", "h5py", "scoringrules", "matplotlib")


def describe_run(inputs: Inputs, config: dict[str, Any]) -> dict[str, Any]:
    """Title, facts, verdict and findings: what stands above the first figure.

    Parameters
    ----------
    config
        Section ``validation`` that the metrics were judged by.
    """
    table, attrs = inputs.acceptance, inputs.metrics.attrs
    bars = [
        {
            **bar,
            "value": bar_value(bar),
            "interval": bar_interval(bar),
            "threshold": bar_threshold(bar),
        }
        for bar in table["bars"]
    ]
    missed = [bar["name"] for bar in bars if bar["verdict"] != "met"]
    if missed:
        verb = "is" if len(missed) == 1 else "are"
        verdict = f"{table['met']} of {len(bars)} bars are met; {len(missed)} {verb} missed."
    else:
        verdict = f"All {len(bars)} bars are met."
    ensemble = inputs.shown[0].ensemble
    sets = {set_of(str(name)) for name in inputs.metrics["simulation"].values}
    drawn = join([field.label for field in fields_of(ensemble).values()])
    facts = [
        ("Held out", f"{table['n_simulations']} simulations ({', '.join(sorted(sets))}) of "
         f"{table['n_runs']} {_independent(inputs)}"),
        ("Ensembles", f"{inputs.metrics.sizes['sample']} windows a simulation, "
         f"{table['n_members']} members a window, {_models(ensemble)}"),
        ("Windows", _windows(inputs)),
        ("Solver", f"{ensemble.attrs.get('solver', 'unknown')}, "
         f"{ensemble.attrs.get('n_steps', 'unknown')} network evaluations a member"),
    ]  # fmt: skip
    facts += _responses(inputs.metrics)
    facts += inputs.suite_facts
    facts.append(("Made from", _made_from(inputs)))
    return {
        "title": f"Emulator report: {inputs.name} (suite {attrs.get('suite', 'unknown')})",
        "lead": [
            f"A {_kind_of_model(inputs)} draws the {drawn} {_from_what(inputs)}. This page "
            "compares its draws with simulations that it has not seen."
        ],
        "notice": str(attrs.get("notice", "")).rstrip("."),
        "facts": facts,
        "verdict": verdict,
        "verdict_note": (
            "A bar is a minimum that was set in the config before the run, not a claim of accuracy."
        ),
        "groups": group_bars(bars, inputs.domain),
        "bars": bars,
        "findings": find(inputs.metrics, config),
    }


def _windows(inputs: Inputs) -> str:
    """Size of a window in pixels and lengths."""
    ensemble, domain = inputs.shown[0].ensemble, inputs.domain
    pixel, side = pixel_of(inputs.metrics.attrs), ensemble.sizes["x"]
    if domain.is_matter:
        depth = float(inputs.metrics.attrs["depth_mpch"])
        return (
            f"{side} x {side} pixels of {1e3 * pixel:.0f} kpc/h "
            f"({side * pixel:.2f} Mpc/h a side), summed through {depth:g} Mpc/h"
        )
    rows = ensemble.sizes["y"]
    return f"{rows} x {side} (rows x columns) pixels of {pixel:g} {domain.length}"


def _independent(inputs: Inputs) -> str:
    if inputs.domain.is_matter:
        return "runs; simulations of one run share their initial phases"
    return "independent groups"


def _from_what(inputs: Inputs) -> str:
    """What the model is given."""
    if of_dark_matter_alone(fields_of(inputs.shown[0].ensemble).values()):
        return (
            "that a finer run of the same initial phases would have given, from the "
            "dark-matter-only (DMO) map of the coarse run, its surroundings and the parameters"
        )
    if inputs.domain.is_matter:
        return (
            "that a hydrodynamic run would have given, from a dark-matter-only (DMO) map, its "
            "surroundings and the parameters"
        )
    given = [field.label for field in inputs.domain.conditions]
    names = inputs.shown[0].ensemble["parameter"].values.astype(str).tolist()
    return f"given {join([*given, *names])}"


def _responses(metrics: xr.Dataset) -> list[tuple[str, str]]:
    """What responses to parameters were measured on, if they were."""
    if "response" not in metrics.sizes:
        return []
    sizes = metrics.sizes
    sets = sorted({set_of(str(name)) for name in metrics["response"].values})
    said = (
        f"{sizes['response']} simulations of {join(sets)} that move one parameter at a time, "
        f"{sizes['window']} windows a simulation, {sizes['response_member']} members a window"
    )
    return [("Responses", said)]


def _made_from(inputs: Inputs) -> str:
    """Code, numbers and weights, each by the start of its hash."""
    weights = {str(card.get("weights_sha256", "unknown")) for card in inputs.models.values()}
    parts = [
        f"emulator {inputs.metrics.attrs.get('emulator_version', 'unknown')}",
        f"commit {_short(commit())}" if commit() else "no commit known",
        *(f"{name} {digest[:12]}" for name, digest in inputs.hashes.items()),
        *(f"weights {digest[:12]}" for digest in sorted(weights)),
    ]
    return ", ".join(parts)


def _short(revision: str) -> str:
    """A commit with twelve digits; what says that files differ stays."""
    digest, *changed = revision.split("-", 1)
    return "-".join([digest[:12], *changed])


def build_provenance(inputs: Inputs, config: dict[str, Any]) -> Section:
    """Versions, seeds, configs: what it takes to make this page again."""
    attrs, ensemble = inputs.metrics.attrs, inputs.shown[0].ensemble
    rows = [
        ["emulator", str(attrs.get("emulator_version", "unknown"))],
        ["commit of this page's code", commit() or "unknown"],
        *([f"sha256 of {name}", digest] for name, digest in inputs.hashes.items()),
        *(
            [f"sha256 of the weights, {name}", str(card.get("weights_sha256", "unknown"))]
            for name, card in inputs.models.items()
        ),
        ["host", f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"],
        ["Python", platform.python_version()],
        *([name, version(name)] for name in PACKAGES),
        ["seed of ties and climatology", str(attrs["seed"])],
    ]
    if "seed" in ensemble:
        seeds = ", ".join(str(seed) for seed in ensemble["seed"].values.ravel()[:16])
        rows.append([f"seeds of the members ({ensemble.attrs['simulation']})", seeds])
    section = Section(
        "provenance",
        "Provenance",
        tables=[Table(["what", "value"], rows, "Versions are those of the machine of this page.")],
        listings=[("Validation config", json.dumps(config, indent=2))],
    )
    if inputs.splits is None:
        section.missing.append("splits.json was not found.")
    else:
        section.listings.append(("Splits", json.dumps(inputs.splits, indent=1)))
    if not inputs.models:
        section.missing.append("No model/seed_*/model.json: the model's config is not shown.")
    for name, card in inputs.models.items():
        section.listings.append((f"Model, {name} (model.json)", json.dumps(card, indent=1)))
    section.listings.append(
        ("Attributes of the ensembles", json.dumps(ensemble.attrs, indent=1, default=str))
    )
    return section


def _kind_of_model(inputs: Inputs) -> str:
    """What the members were drawn by, in words."""
    trainings = [card.get("training", {}) for card in inputs.models.values()]
    objectives = {str(training.get("objective", "diffusion")) for training in trainings}
    return KINDS.get(objectives.pop(), "model") if len(objectives) == 1 else "model"


def _models(ensemble: xr.Dataset) -> str:
    """Who drew the members."""
    n_models = len(np.unique(ensemble["model_seed"].values))
    return "from one model" if n_models == 1 else f"from {n_models} models of different seeds"
