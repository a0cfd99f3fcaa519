"""Boxes that are to be painted: found, and checked against the model, before any job is queued.

Headers are read, no particles and no maps; the painter itself checks the rest.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from emulator.config import (
    MAP,
    ConfigError,
    ExperimentConfig,
    PaintedSource,
    TrainedModel,
    maps_file,
    maps_folder,
    read_trained,
)
from emulator.config.suites.redshifts import PARAMETER as REDSHIFT
from emulator.io import DataError, open_arrays
from emulator.sampling.painting.labelled import WINDOWS, open_labelled
from emulator.suites.base import Suite

_SAME = 1.0e-4


class PaintedBox(NamedTuple):
    """One box: what `emulator paint` is told, and how large it is."""

    source: Path
    """File that is painted."""
    watched: Path | None
    """File that must be there; None for maps that the workflow makes."""
    projections: tuple[str, ...]
    params: Mapping[str, float]
    """All parameters of the model; none where the maps file says them."""
    n_pixels: int | None
    """Pixels a side (of an array its longer one), if it is known."""


class Painting:
    """What the section ``painting`` asks for.

    Parameters
    ----------
    config
        The experiment.
    suite
        Its simulations.

    Raises
    ------
    ConfigError
        No model that could paint, or parameters that it does not have.
    """

    def __init__(self, config: ExperimentConfig, suite: Suite) -> None:
        self.config, self.suite, self.options = config, suite, config.painting
        self.names = self.options.boxes(config.suite)
        if not self.names:
            raise ConfigError(
                "painting: expected boxes to paint, got none: give painting.sources (NAME: {path: "
                "..., params: {...}}) or painting.simulations (all, or names)"
            )
        self.trained: TrainedModel | None = None
        if self.options.model is not None:
            self.trained = read_trained(self.options.model, "painting.model")
        elif not suite.has_twins:
            raise ConfigError(
                "painting.model: expected a trained model (results/NAME/model), as no model is "
                "trained on the dark-matter-only runs of this config (suite.layout.hydro_snapshot: "
                "null), got none"
            )
        self.params = config.model.params if self.trained is None else self.trained.params
        faults = self.options.faults(self.params, "the model")
        if faults:
            raise ConfigError("; ".join(faults))

    def box(self, name: str) -> PaintedBox:
        """One box by its name.

        Raises
        ------
        ConfigError
            A projection that does not exist, or parameters that are not known.
        DataError
            A missing or damaged file, or one of another pixel, depth or kernel than the training.
        """
        source = self.options.sources.get(name)
        return self._of_simulation(name) if source is None else self._of_source(name, source)

    def _of_simulation(self, name: str) -> PaintedBox:
        """Maps that are made of a simulation of the suite."""
        data = self.config.data
        if self.trained is not None:
            box, depth = self.suite.box_and_depth_mpch(data)
            found = {"pixel_mpch": box / data.n_pixels, "depth_mpch": depth}
            kernel = data.deposit if self.suite.projects else None
            self._require_same_grid(found, kernel, f"the maps of suite {self.suite.name}")
        return PaintedBox(
            maps_file(maps_folder(self.config.name), name),
            None,
            _chosen(self.options.projections, self.suite.projections(data), "painting.projections"),
            self._parameters(self._of_table(name), self.options.params, "painting.params", name),
            data.n_pixels,
        )

    def _of_source(self, name: str, source: PaintedSource) -> PaintedBox:
        from emulator.readers.gadget import first_chunk

        key, path = f"painting.sources.{name}", Path(source.path)
        watched = first_chunk(path) if path.suffix == ".hdf5" else path
        if not watched.exists():
            raise DataError(
                path, f"the file that {key}.path names", "no such file",
                "Mend the path, or take the box out of painting.sources.",
            )  # fmt: skip
        own, labels, n_pixels = self._look(path, source)
        projections = _chosen(source.projections, labels, f"{key}.projections")
        params = self._parameters(own, source.params, f"{key}.params", str(path))
        return PaintedBox(path, watched, projections, params, n_pixels)

    def _look(
        self, path: Path, source: PaintedSource
    ) -> tuple[Mapping[str, float], tuple[str, ...], int | None]:
        """Parameters that a file says, labels of its maps, and their pixels."""
        if source.is_array:
            return {}, (MAP,), _side(path)
        if path.suffix == ".h5":
            return self._look_at_maps(path)
        from emulator.projection.pair import projection_labels
        from emulator.readers.snapshots import open_snapshot

        header = open_snapshot(path).header
        box, (pixel, depth) = header.box_size_mpch, self._grid()
        own = {REDSHIFT: header.redshift} if REDSHIFT in self.params else {}
        return own, projection_labels(max(1, round(box / depth))), round(box / pixel)

    def _look_at_maps(self, path: Path) -> tuple[Mapping[str, float], tuple[str, ...], int]:
        from emulator.data.maps import read_maps

        maps = read_maps(path, lazy=True, verified=False)
        maps.close()
        if not maps.periodic:
            raise DataError(path, "maps of a whole box", "ready windows", WINDOWS)
        if self.trained is not None:
            lengths = {name: float(maps.attrs[name]) for name in ("pixel_mpch", "depth_mpch")}
            self._require_same_grid(lengths, maps.attrs.get("deposit"), str(path))
        return maps.params, maps.projections, maps.maps.shape[-1]

    def _grid(self) -> tuple[float, float]:
        """Pixel and depth of the training [Mpc/h]."""
        if self.trained is not None:
            return self.trained.card.grid.pixel_mpch, self.trained.card.grid.depth_mpch
        box, depth = self.suite.box_and_depth_mpch(self.config.data)
        return box / self.config.data.n_pixels, depth

    def _require_same_grid(
        self, found: Mapping[str, float], kernel: str | None, where: str
    ) -> None:
        if self.trained is None:
            return
        grid = self.trained.card.grid
        remedy = "Set data.n_pixels, data.slabs and data.deposit as in the config of the training."
        for name, value in found.items():
            wanted = float(getattr(grid, name))
            if abs(value - wanted) > _SAME * wanted:
                said = f"{wanted:g} as painting.model was trained"
                raise DataError(f"{where}:{name}", said, f"{value:g}", remedy)
        if None not in (kernel, grid.deposit) and kernel != grid.deposit:
            said = f"{grid.deposit} as painting.model was trained"
            raise DataError(f"{where}:deposit", said, str(kernel), remedy)

    def _of_table(self, simulation: str) -> Mapping[str, float] | None:
        """Parameters of a simulation; None where its table is still to be written."""
        from emulator.readers.parameter_table import read_table
        from emulator.suites.outputs import output_parameters

        config = self.config.suite
        path = config.path("parameters", self.suite.root, simulation)
        if self.suite.is_simulated and not path.is_file():
            return None
        return output_parameters(config, read_table(path, config.parameter_names), simulation)

    def _parameters(
        self, own: Mapping[str, float] | None, given: Mapping[str, float], key: str, where: str
    ) -> dict[str, float]:
        """All parameters of the model, if some are given; else those of the file will do."""
        if own is None and not given:
            return {}
        known = {**(own or {}), **given}
        missing = [name for name in self.params if name not in known]
        if missing:
            raise ConfigError(
                f"{key}: expected what {where} does not say of the model's parameters "
                f"({', '.join(self.params)}), got no {', '.join(missing)}: give them there"
            )
        return {name: known[name] for name in self.params} if given else {}


def _side(path: Path) -> int | None:
    """Longer side of the one map of a file."""
    if path.suffix == ".npy":
        with open_arrays(path, mmap_mode="r") as array:
            return max(array.shape, default=None)
    with open_labelled(path) as labelled:
        if (n_maps := labelled.sizes.get("projection", 1)) > 1:
            raise DataError(
                path, "one map", f"{n_maps} projections",
                "Paint them with `emulator paint --projection LABEL`, or make a file of each.",
            )  # fmt: skip
        return max((labelled.sizes.get(axis, 0) for axis in ("y", "x")), default=0) or None


def _chosen(asked: tuple[str, ...] | None, labels: tuple[str, ...], key: str) -> tuple[str, ...]:
    """Projections that are asked for; all, if it is not said."""
    unknown = [label for label in asked or () if label not in labels]
    if unknown:
        raise ConfigError(
            f"{key}: expected some of {', '.join(labels)}, got {', '.join(unknown)}: choose among "
            "those, or leave the key out for all"
        )
    return labels if asked is None else asked
