"""Suites of ready windows: all windows of a simulation become one maps file, a projection each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emulator.config import ConfigError, DataConfig, WindowsSuite
from emulator.fields import CONDITION
from emulator.io import DataError, checked_values
from emulator.projection.pyramid import mean_masses
from emulator.readers.catalogs import Halos
from emulator.readers.halo_tables import radius_200c
from emulator.readers.parameter_table import canonical_name
from emulator.readers.parameters import (
    match_ranges,
    parameter_attrs,
    read_ranges,
    require_possible_parameters,
)
from emulator.suites.base import FLOAT_BYTES, Probe
from emulator.suites.existing import ExistingSuite
from emulator.suites.findings import Inspection, Level
from emulator.suites.full_maps import FullMaps, below
from emulator.suites.timing import probe_reading
from emulator.suites.window_checks import require_halo_in_window, require_sound_windows
from emulator.suites.window_files import ReadyWindow, read_window


class Windows(ExistingSuite):
    """Ready windows, used whole."""

    config: WindowsSuite
    has_tables = False

    def inputs(self, data: DataConfig, simulation: str) -> list[Path]:
        """Files of the windows, and the table of ranges; see :meth:`Suite.inputs`."""
        ranges = self.config.path("ranges", self.root, simulation)
        return [*self.config.windows(self.root, simulation), ranges]

    def require_possible(self) -> None:
        """The files do not name their parameters; see :meth:`Suite.require_possible`."""
        if not self.config.parameter_names:
            raise ConfigError(
                "suite.parameter_names: expected the names of `params` in the files, in their "
                "order, got none"
            )

    def n_projections(self, data: DataConfig) -> int:
        """Unknown before the files are looked at."""
        return 0

    def maps_bytes(self, data: DataConfig, facts: Mapping[str, Any] | None = None) -> float:
        """Of the windows that were found; their context has the pixels of the window."""
        layers = 1 + len(data.fields) + len(data.context_factors)
        n_windows = int((facts or {}).get("windows", 0))
        return float(n_windows * data.window**2 * FLOAT_BYTES * layers)

    def read_maps(
        self, data: DataConfig, simulation: str, *, redraw: int = 0, workers: int = 1
    ) -> FullMaps:
        """Read all windows of one simulation, in the order of their names.

        See :meth:`Suite.read_maps`. Refused are also shapes that are not those of the config,
        parameters that differ between the windows of the simulation or lie outside their ranges,
        and what :mod:`~emulator.suites.window_checks` refuses.
        """
        config = self.config
        paths = config.windows(self.root, simulation)
        if not paths:
            pattern = config.path("files", self.root, simulation)
            raise DataError(pattern, f"windows of simulation {simulation}", "no such file")
        signed = any(field.signed for field in data.targets)
        windows = [read_window(path, signed=signed) for path in paths]
        for path, window in zip(paths, windows, strict=True):
            self._require_config(window, data, path)
        params = self._common_params(paths, windows)
        ranges = config.path("ranges", self.root, simulation)
        known = match_ranges(params, read_ranges(ranges), ranges)
        require_possible_parameters(params, known, f"{paths[0]}:params")
        named = {canonical_name(name): value for name, value in params.items()}
        universe = {
            "hubble_h": named.get("h", config.hubble_h),
            "omega_m": named.get("Omega_m", config.omega_m),
            "omega_b": named.get("Omega_b", config.omega_b),
        }
        rows = [config.targets.index(field.name) for field in data.targets]
        values = np.stack([np.concatenate([w.condition[None], w.target[rows]]) for w in windows])
        large_scale = np.stack([window.large_scale for window in windows])
        context = {f: large_scale[:, i] for i, f in enumerate(data.context_factors)}
        pixel = config.box_size_mpch / data.n_pixels
        require_sound_windows(
            dict(zip((CONDITION, *data.targets), np.moveaxis(values, 1, 0), strict=True)),
            context,
            omega_m=universe["omega_m"],
            omega_b=universe["omega_b"],
            pixel_mpch=pixel,
            box_size_mpch=config.box_size_mpch,
            depth_mpch=config.depth_mpch,
            where=str(paths[0].parent),
        )
        for path, window in zip(paths, windows, strict=True):
            require_halo_in_window(window, config.box_size_mpch, str(path))
        halos, with_halo = self._halos(windows, universe["omega_m"])
        return FullMaps(
            values=values,
            fields=data.targets,
            projections=tuple(path.stem for path in paths),
            context=context,
            halos=halos,
            attrs={
                "box_size_mpch": config.box_size_mpch,
                "pixel_mpch": pixel,
                "depth_mpch": config.depth_mpch,
                "redshift": config.redshift,
                "periodic": 0,
                **universe,
                **parameter_attrs(params, ranges),
                **mean_masses(values, data.targets),
            },
            sources=tuple(below(self.root, path) for path in paths),
            halo_projection=with_halo,
        )

    def inspect(self, data: DataConfig, simulation: str, *, deep: bool) -> Inspection:
        """See :meth:`Suite.inspect`."""
        found = Inspection(simulation)
        windows = self.config.windows(self.root, simulation)
        found.facts["windows"] = len(windows)
        if not windows:
            pattern = self.config.path("files", self.root, simulation)
            found.add(Level.ERROR, "files", f"{pattern}: expected windows, got no such file")
        for path in self.inputs(data, simulation):
            found.require_file(path)
        if deep and not found.findings:
            found.attempt("values", lambda: self.read_maps(data, simulation))
        return found

    def probe(self, data: DataConfig) -> Probe:
        """Read the first simulation."""
        return probe_reading(self, data)

    def _halos(self, windows: Sequence[ReadyWindow], omega_m: float) -> tuple[Halos, np.ndarray]:
        """Halos, and the windows that they are the middle of."""
        mass = np.array([window.halo_mass for window in windows], np.float64)
        position = np.array([window.halo_center for window in windows], np.float64)
        with_halo = mass > 0
        radius = radius_200c(mass[with_halo], omega_m, self.config.redshift)
        return Halos(position[with_halo], mass[with_halo], radius), np.flatnonzero(with_halo)

    def _require_config(self, window: ReadyWindow, data: DataConfig, path: Path) -> None:
        side, levels = window.condition.shape[0], len(window.large_scale)
        if side != data.window:
            raise DataError(
                f"{path}:condition",
                f"{data.window} pixels a side (data.window)",
                f"{side}",
                f"Set data.window: {side}; windows are not resampled.",
            )
        if levels != len(data.context_factors):
            raise DataError(
                f"{path}:large_scale",
                f"one level for each of data.context_factors {list(data.context_factors)}",
                f"{levels}",
            )
        if len(window.target) != len(self.config.targets):
            raise DataError(
                f"{path}:target",
                f"a field for each of suite.targets {list(self.config.targets)}",
                f"{len(window.target)}",
            )
        for field in data.targets:
            values = window.target[self.config.targets.index(field.name)]
            checked_values(values, f"{path}:target ({field.name})", signed=field.signed)

    def _common_params(
        self, paths: Sequence[Path], windows: Sequence[ReadyWindow]
    ) -> dict[str, float]:
        names = self.config.parameter_names
        if not names:
            raise DataError(
                f"suite {self.name}", "suite.parameter_names, the order of params", "none"
            )
        first = windows[0].params
        for path, window in zip(paths, windows, strict=True):
            if len(window.params) != len(names):
                raise DataError(
                    f"{path}:params",
                    f"{len(names)} values (suite.parameter_names)",
                    f"{len(window.params)}",
                )
            if not np.array_equal(window.params, first):
                raise DataError(
                    f"{path}:params", f"those of {paths[0]}", "others",
                    "A simulation has one universe.",
                )  # fmt: skip
        return {name: float(value) for name, value in zip(names, first, strict=True)}


SUITE = Windows
