"""The parts of the page: which figure stands where, and what its caption says.

Captions say what is shown, what good looks like, and quote the bar. A registered metric without a
figure here has its own panels in :mod:`emulator.report.sections.others`.
"""

import json
from typing import Any

import xarray as xr
from pydantic import ValidationError

from emulator.config import ValidationConfig
from emulator.config.documents import shorten_error
from emulator.io import DataError
from emulator.report.inputs import Inputs
from emulator.report.overview import build_provenance
from emulator.report.page import Section
from emulator.report.sections.audits import audits_section
from emulator.report.sections.bispectrum import bispectrum_sections
from emulator.report.sections.brightness import brightness_section
from emulator.report.sections.calibration import calibration_section
from emulator.report.sections.halos import halo_sections
from emulator.report.sections.maps import maps_section
from emulator.report.sections.masses import masses_section
from emulator.report.sections.models import models_sections
from emulator.report.sections.noise_scale import noise_scale_sections
from emulator.report.sections.others import other_sections
from emulator.report.sections.responses import responses_section
from emulator.report.sections.running import cost_section, training_section
from emulator.report.sections.scores import scores_section
from emulator.report.sections.solvers import solvers_sections
from emulator.report.sections.spectra import spectra_section
from emulator.report.sections.whole_boxes import whole_boxes_section
from emulator.report.text import of_runs


def build_sections(
    inputs: Inputs, config: dict[str, Any], previous: Section | None = None
) -> list[Section]:
    """All sections in reading order.

    Parameters
    ----------
    config
        Of :func:`validation_config`.
    previous
        The run beside earlier ones; None: there are none.
    """
    domain, table = inputs.domain, inputs.acceptance
    measured = [
        spectra_section(inputs.metrics, config),
        *bispectrum_sections(inputs.metrics),
        calibration_section(inputs.metrics, config),
        brightness_section(inputs.metrics, config),
        masses_section(inputs.metrics, config),
        *halo_sections(inputs.metrics, config),
        scores_section(inputs.metrics, config),
        *models_sections(inputs.metrics),
        *other_sections(inputs.metrics, table["bars"]),
    ]
    for section in measured:
        section.runs = of_runs(table["n_runs"], table["n_simulations"], domain)
    responses = [responses_section(inputs.metrics, config)] if domain.is_matter else []
    return [
        *([] if previous is None else [previous]),
        maps_section(inputs),
        *measured,
        *responses,
        *_audited(inputs, config),
        training_section(inputs),
        *solvers_sections(inputs),
        *noise_scale_sections(inputs),
        cost_section(inputs),
        build_provenance(inputs, json.loads(inputs.metrics.attrs["config"])),
    ]


def _audited(inputs: Inputs, config: dict[str, Any]) -> list[Section]:
    """Whole boxes and audits; of a run without them, why."""
    audits = inputs.audits
    if audits is None:
        said = "audits.nc was not found: run `emulator audit CONFIG`, then the report again."
        return [Section("audits", "Audits", missing=[said])]
    drawn = {card.get("weights_sha256") for card in inputs.models.values()}
    if drawn - {*json.loads(audits.attrs["provenance"])["weights"]}:
        said = "audits.nc is of other weights: run `emulator audit CONFIG`, then the report again."
        return [Section("audits", "Audits", missing=[said])]
    if "box" in audits.sizes:
        return [whole_boxes_section(audits, inputs.metrics, config), audits_section(audits)]
    why = str(json.loads(audits.attrs["left_out"])["boxes"])
    return [Section("whole-boxes", "Whole boxes", missing=[why]), audits_section(audits)]


def validation_config(metrics: xr.Dataset) -> dict[str, Any]:
    """The config that the metrics were judged by.

    Raises
    ------
    DataError
        Metrics of a version whose config had other keys.
    """
    try:
        config = ValidationConfig.model_validate(json.loads(metrics.attrs["config"]))
    except ValidationError as error:
        raise DataError(
            "metrics.nc:config",
            "the section validation of a config of this version",
            shorten_error(error).strip(),
            "It is of another version: run the stage `validate` again.",
        ) from error
    return config.model_dump(mode="json")
