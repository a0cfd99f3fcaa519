"""Run the embedded suite: one N-body run and every hydro outcome of it.

With ``coarse_mesh`` the N-body run is the coarse one, and in place of a hydro outcome stands the
same run, to the same phases, on the finer mesh.

What exists and was made from the same inputs is kept; files are whole or absent, so an interrupted
run goes on where it stopped. Everything after the N-body run reads its snapshot and catalogue back
from disk, so that a file made later has the same bytes.
"""

import os
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from emulator.config import EmbeddedSuite
from emulator.io import DataError, EmulatorError, atomic_path, open_hdf5, verify
from emulator.metadata import SURROGATE_NOTICE, TWO_MESHES_NOTICE, provenance
from emulator.progress import Progress
from emulator.simulate.baryons import MODEL_VERSION, Strengths, baryonify
from emulator.simulate.cosmology import Cosmology
from emulator.simulate.design import Simulation, build_design
from emulator.simulate.gravity import run_outputs
from emulator.simulate.halos import build_tree, find_halos
from emulator.simulate.neighbourhood import survey
from emulator.simulate.snapshots import (
    read_catalogue,
    read_positions,
    write_catalogue,
    write_dmo_snapshot,
    write_hydro_snapshot,
)
from emulator.simulate.tables import write_tables
from emulator.simulate.thermodynamics import VERSION, heat

__all__ = ["simulate_run", "write_tables"]


REDRAW_SEEDS = 1_000_000
"""Re-drawn baryons of a simulation with baryon seed ``s`` have the seeds ``s * 1e6 + 1, ...``."""


@dataclass(frozen=True)
class _Run:
    """One N-body run at one redshift: what its files are called and what they are made from."""

    suite: EmbeddedSuite
    root: Path
    simulations: list[Simulation]
    outcomes: list[tuple[Path, Simulation]]
    cosmology: Cosmology
    redshift: float

    @property
    def strengths(self) -> Strengths:
        suite = self.suite
        return Strengths(suite.environment_strength, suite.chaos_strength, suite.diffuse_strength)

    def path(self, kind: str, simulation: Simulation) -> Path:
        return self.suite.path(kind, self.root, self.suite.name_at(simulation.name, self.redshift))

    def mesh(self, kind: str) -> int:
        """Cells a side of the gravity mesh that a file is made on."""
        return self.suite.mesh if kind == "hydro_snapshot" else self.suite.dmo_mesh

    def gravity_attrs(self, kind: str = "dmo_snapshot") -> dict[str, str]:
        suite = self.suite
        facts = {
            "ic_seed": self.simulations[0].ic_seed,
            "omega_m": self.cosmology.omega_m,
            "sigma_8": self.cosmology.sigma_8,
            "box_size_mpch": suite.box_size_mpch,
            "n_particles": suite.n_particles,
            "mesh": self.mesh(kind),
            "n_steps": suite.n_steps,
            "a_start": suite.a_start,
        }
        # those of redshift 0 are what they are in a suite of no other
        if self.redshift:
            facts["redshift"] = self.redshift
        return self._attrs(facts)

    def hydro_attrs(self, simulation: Simulation) -> dict[str, str]:
        if self.suite.coarse_mesh is not None:
            return self.gravity_attrs("hydro_snapshot")
        facts = {
            "model_version": MODEL_VERSION,
            "gravity": self.gravity_attrs()["provenance"],
            "simulation": simulation.name,
            "baryon_seed": simulation.baryon_seed,
            "params": simulation.params,
            "omega_b": self.cosmology.omega_b,
            "strengths": asdict(self.strengths),
        }
        if self.suite.thermodynamics:
            facts["thermodynamics"] = VERSION
        return self._attrs(facts)

    def _attrs(self, facts: dict[str, Any]) -> dict[str, str]:
        notice = SURROGATE_NOTICE if self.suite.coarse_mesh is None else TWO_MESHES_NOTICE
        return {**provenance("simulate", **facts), "notice": notice}


def simulate_run(suite: EmbeddedSuite, run: str, root: Path, *, n_redraws: int = 0) -> list[Path]:
    """Make all files of one N-body run: its snapshot, its catalogue, and its hydro outcomes.

    Parameters
    ----------
    suite
        The suite's section of the config.
    run
        A key of ``suite.runs()``.
    root
        Folder above the suite's layout.
    n_redraws
        Draw the baryons of every simulation this many times more: same dark-matter-only run, same
        parameters, other random numbers. (The set BE holds such draws already and gets none.)

    Returns
    -------
    Paths of the dark-matter-only snapshot, catalogue and hydro snapshot of each simulation, then of
    the re-drawn snapshots. The first two are the same file (a hard link where the file system can)
    for all simulations.

    Raises
    ------
    DataError
        If the suite has no such run, or the disk no room for it.
    EmulatorError
        Re-drawn baryons of a suite without baryons.
    """
    if n_redraws and suite.coarse_mesh is not None:
        raise EmulatorError(
            f"redraw_baryons: expected 0 with suite.coarse_mesh, where nothing is drawn, got "
            f"{n_redraws}: leave it out"
        )
    design = build_design(suite)
    if run not in design:
        raise DataError(root, f"one of the runs {', '.join(design)}", repr(run))
    simulations = design[run]
    params = simulations[0].params
    cosmology = Cosmology(omega_m=params["Omega_m"], sigma_8=params["sigma_8"])
    jobs = [
        _Run(
            suite,
            Path(root),
            simulations,
            _outcomes(suite, Path(root), simulations, n_redraws, redshift),
            cosmology,
            redshift,
        )
        for redshift in suite.redshifts
    ]
    _require_disk_space(jobs, run)

    n_outcomes = sum(len(job.outcomes) for job in jobs)
    kinds = ["dmo_snapshot"] if suite.coarse_mesh is None else ["dmo_snapshot", "hydro_snapshot"]
    steps = len(kinds) * suite.n_steps + len(jobs) + n_outcomes
    progress = Progress(f"simulate {run}", steps)
    for kind in kinds:
        missing = [job for job in jobs if _share(job, kind) is None]
        if missing:
            _write_gravity(missing, kind, progress)
            for job in missing:
                _share(job, kind)
        else:
            progress.advance(suite.n_steps, "snapshot exists")
    paths = [job.path("dmo_snapshot", each) for job in jobs for each in simulations]
    for job in jobs:
        _write_halos_and_hydro(job, progress)
    paths += [job.path("dmo_catalogue", each) for job in jobs for each in simulations]
    return paths + [path for job in jobs for path, _ in job.outcomes]


def _outcomes(
    suite: EmbeddedSuite,
    root: Path,
    simulations: list[Simulation],
    n_redraws: int,
    redshift: float,
) -> list[tuple[Path, Simulation]]:
    """Where each hydro outcome goes and what it is made from."""
    names = {s.name: suite.name_at(s.name, redshift) for s in simulations}
    outcomes = [(suite.path("hydro_snapshot", root, names[s.name]), s) for s in simulations]
    for simulation in simulations:
        for redraw in range(1, n_redraws + 1) if simulation.set != "BE" else ():
            seed = simulation.baryon_seed * REDRAW_SEEDS + redraw
            path = suite.path("redrawn_snapshot", root, names[simulation.name], redraw)
            outcomes.append((path, replace(simulation, baryon_seed=seed)))
    return outcomes


def _require_disk_space(jobs: list[_Run], run: str) -> None:
    """Refuse a run that cannot be written, before it is computed."""
    needed, root = 0, jobs[0].root
    for job in jobs:
        missing = [path for path, _ in job.outcomes if not path.exists()]
        needed += len(missing) * job.suite.hydro_bytes
        if not job.path("dmo_snapshot", job.simulations[0]).exists():
            needed += job.suite.dmo_bytes
    folder = next(parent for parent in (root, *root.absolute().parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            root,
            f"{needed / 1e9:.3g} GB of free disk space for run {run}",
            f"{free / 1e9:.3g} GB",
            "Free some space, choose another folder (--raw), or a smaller suite.",
        )


def _write_gravity(jobs: list[_Run], kind: str, progress: Progress) -> None:
    """Run the N-body simulation once and write the snapshots of the first simulation."""
    first = jobs[0]
    redshifts = [job.redshift for job in jobs]
    suite = first.suite.model_copy(update={"mesh": first.mesh(kind)})
    outputs = run_outputs(
        suite, first.cosmology, first.simulations[0].ic_seed, progress.advance, redshifts
    )
    for job, positions in zip(jobs, outputs, strict=True):
        write_dmo_snapshot(
            job.path(kind, job.simulations[0]),
            positions,
            box_size_mpch=job.suite.box_size_mpch,
            cosmology=job.cosmology,
            attrs=job.gravity_attrs(kind),
            redshift=job.redshift,
        )


def _write_halos_and_hydro(job: _Run, progress: Progress) -> None:
    """Write the catalogue and the hydro snapshots that are missing."""
    box, cosmology = job.suite.box_size_mpch, job.cosmology
    missing = [
        (path, simulation)
        for path, simulation in job.outcomes
        if not _is_current(path, job.hydro_attrs(simulation))
    ]
    catalogue = _share(job, "dmo_catalogue")
    progress.advance(len(job.outcomes) - len(missing))
    if catalogue is not None and not missing:
        progress.advance()
        return
    first = job.simulations[0]
    positions = read_positions(job.path("dmo_snapshot", first))
    mass = cosmology.mean_density * box**3 / len(positions)
    tree = build_tree(positions, box)
    if catalogue is None:
        write_catalogue(
            job.path("dmo_catalogue", first),
            find_halos(tree, mass, critical_density=cosmology.critical_density(job.redshift)),
            box_size_mpch=box,
            cosmology=cosmology,
            attrs=job.gravity_attrs(),
            redshift=job.redshift,
        )
        _share(job, "dmo_catalogue")
    progress.advance()
    if not missing:
        return
    halos = read_catalogue(job.path("dmo_catalogue", first))
    dark_matter = survey(tree, mass, halos, job.redshift)
    for path, simulation in missing:
        seeds = (simulation.ic_seed, simulation.baryon_seed)
        particles = baryonify(
            dark_matter,
            simulation.params,
            baryon_fraction=cosmology.baryon_fraction,
            strengths=job.strengths,
            seeds=seeds,
        )
        is_heated = job.suite.thermodynamics
        heated = heat(dark_matter, particles, simulation.params, seeds) if is_heated else None
        write_hydro_snapshot(
            path,
            particles,
            heated,
            box_size_mpch=box,
            cosmology=cosmology,
            attrs=job.hydro_attrs(simulation),
            redshift=job.redshift,
        )
        progress.advance()


def _share(job: _Run, kind: str) -> Path | None:
    """Give every simulation of the run the file that one of them has; None if none has it."""
    expected = job.gravity_attrs(kind)
    paths = [job.path(kind, simulation) for simulation in job.simulations]
    source = next((path for path in paths if _is_current(path, expected)), None)
    if source is None:
        return None
    for path in paths:
        if path == source or _is_current(path, expected):
            continue
        with atomic_path(path) as partial:
            try:
                os.link(source, partial)
            except OSError:
                # Some file systems have no hard links.
                shutil.copyfile(source, partial)
    return source


def _is_current(path: Path, attrs: dict[str, str]) -> bool:
    """Whether ``path`` is a whole file that was made from the same inputs."""
    if not path.is_file():
        return False
    try:
        verify(path)
        with open_hdf5(path) as handle:
            return bool(handle.attrs.get("provenance") == attrs["provenance"])
    except DataError:
        return False
