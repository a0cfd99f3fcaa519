"""The stage: whole boxes, changed conditions and what splits share, in one file (``audits.nc``)."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import xarray as xr

from emulator.config import AuditsConfig, SamplingConfig, maps_file
from emulator.data.maps import Maps, read_maps
from emulator.domain import ATTRIBUTE
from emulator.fields import dump_fields, with_total
from emulator.io import DataError
from emulator.metadata import provenance
from emulator.sampling.base import BaseEmulator
from emulator.sampling.ensemble import Emulator
from emulator.validation.audits.boxes import audit_boxes
from emulator.validation.audits.changes import CONTEXT, PARAMS, TURN, audit_changes
from emulator.validation.audits.chosen import one_of_each_run
from emulator.validation.audits.leaks import find_leaks
from emulator.validation.audits.windows import cut_audited

BOXES, LEAK = "boxes", "leak_correlation"
"""Parts, beside those of :mod:`~emulator.validation.audits.changes`, that may be left out."""

COPIED = ("suite", "pixel_mpch", "box_size_mpch", "depth_mpch", "pixel", ATTRIBUTE)


def audit(
    model: BaseEmulator,
    splits: Mapping[str, Sequence[str]],
    held_out: Sequence[str],
    maps_dir: Path,
    config: AuditsConfig,
    sampling: SamplingConfig,
) -> xr.Dataset:
    """Audit a trained model and its splits.

    Parameters
    ----------
    model
        One, or several as one; drawn with as the ensembles are.
    splits
        Simulations by split.
    held_out
        Those that boxes and windows are of, the set that is looked at first in front.
    maps_dir
        Folder of ``{simulation}.h5``.
    config
        How many boxes, windows and members.
    sampling
        Solver and seed.

    Returns
    -------
    What :func:`~emulator.validation.audits.boxes.audit_boxes`,
    :func:`~emulator.validation.audits.changes.audit_changes` and
    :func:`~emulator.validation.audits.leaks.find_leaks` return; the attribute ``left_out`` (JSON)
    says of each part that is missing why.

    Raises
    ------
    DataError
        No held-out simulation, or maps that are missing or do not fit the model.
    """
    if not held_out:
        raise DataError("splits.json:test", "held-out simulations to audit the model on", "none")
    first = _look(maps_dir, held_out[0])
    runs = {name: str(_look(maps_dir, name).attrs["run"]) for name in held_out}
    found, why = [find_leaks(splits, maps_dir)], {}
    if LEAK not in found[0]:
        why[LEAK] = "Only maps of whole boxes are compared at every shift."
    reason = _why_no_boxes(model, first, config)
    chosen = [] if reason else one_of_each_run(runs)[: config.boxes]
    if reason:
        why[BOXES] = reason
    else:
        found.append(audit_boxes(model, chosen, maps_dir, sampling, config.members))
    attrs: dict[str, float | int | str] = {}
    if config.windows:
        lenders = {name: _look(maps_dir, name).params for name in splits["test"]}
        one = cast(Emulator, model.parts[0])
        audited = cut_audited(one, maps_dir, runs, lenders, sampling, config.windows)
        numbers, missing = audit_changes(model, audited, sampling, config.members)
        found.append(xr.Dataset(numbers))
        why |= missing
        attrs = {
            "n_windows": len(audited.owners), "n_simulations": len(audited.simulations),
            "n_runs": len(set(audited.runs)), "mass_difference": audited.mass_difference,
        }  # fmt: skip
    else:
        why |= dict.fromkeys((CONTEXT, PARAMS, TURN), "No windows were asked for (audits.windows).")
    audits = xr.merge(found, compat="no_conflicts", combine_attrs="drop_conflicts")
    audits.attrs |= {
        "title": "Whole boxes, changed conditions, and what splits share",
        **{name: first.attrs[name] for name in COPIED if name in first.attrs},
        **attrs,
        "n_members": config.members * len(model.parts),
        "left_out": json.dumps(why),
        "fields": dump_fields(with_total(model.fields)),
        "config": config.model_dump_json(),
        **provenance(
            "audit", boxes=chosen, weights=[part.card.weights_sha256 for part in model.parts],
            seed=sampling.seed,
        ),
    }  # fmt: skip
    return audits


def _look(maps_dir: Path, name: str) -> Maps:
    """Labels of maps; their values stay on disk."""
    maps = read_maps(maps_file(maps_dir, name), lazy=True, verified=False)
    maps.close()
    return maps


def _why_no_boxes(model: BaseEmulator, maps: Maps, config: AuditsConfig) -> str | None:
    """Why no whole box is painted; None where it can be."""
    if not maps.domain.is_matter:
        return "These maps are drawn whole: there is no larger box to paint."
    if not maps.periodic:
        return "The suite is of ready windows: there is no whole box to paint."
    if len(model.card.grid.shape) != 2:
        return "Boxes of three dimensions are not painted here."
    if not config.boxes:
        return "No boxes were asked for (audits.boxes)."
    return None
