"""A small Multifield Dataset whose masses are known: lognormal slabs of the right mean density."""

import numpy as np

from emulator.config import MultifieldSuite
from emulator.units import CRITICAL_DENSITY

NAMES = ("Omega_m", "sigma_8", "A_SN1", "A_AGN1", "A_SN2", "A_AGN2")
FIELDS = ("dmo", "dm_hydro", "gas", "stars")
N_PIXELS, N_MAPS = 32, 3


def make_suite(root, **changes):
    options = {
        "name": "IllustrisTNG",
        "root": str(root),
        "sets": {"LH": 5, "CV": 2},
        "parameter_names": NAMES,
        "maps_per_simulation": N_MAPS,
        "ranges": str(root / "ranges.csv"),
    }
    return MultifieldSuite(**(options | changes))


def write_multifield(root, suite):
    """Write all files; returns surface densities ``(map, field, y, x)`` by set."""
    root.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(11)
    written = {}
    for name, count in suite.sets.items():
        omega_m = np.round(0.3 + 0.02 * np.arange(count) * (name == "LH"), 4)
        rows = [f"{value} 0.8 1.0 1.0 {1 + 0.1 * i:.2f} 1.0" for i, value in enumerate(omega_m)]
        (root / f"params_{name}_IllustrisTNG.txt").write_text("\n".join(rows) + "\n")
        mean = np.repeat(omega_m, N_MAPS)[:, None, None] * CRITICAL_DENSITY * suite.depth_mpch
        field = rng.lognormal(0.0, 1.0, (count * N_MAPS, N_PIXELS, N_PIXELS))
        dmo = field / field.mean((1, 2), keepdims=True) * mean
        noise = rng.lognormal(0.0, 0.2, (3, *dmo.shape))
        hydro = dmo * noise * np.array([0.84, 0.15, 0.01])[:, None, None, None]
        hydro[2] *= rng.random(dmo.shape) < 0.3
        written[name] = np.stack([dmo, *hydro], axis=1).astype(np.float32)
        simulation = f"{name}_0"
        for i, kind in enumerate(FIELDS):
            np.save(suite.path(kind, root, simulation), written[name][:, i])
    rows = ["Omega0,0,0.3,0.1,0.5", "sigma8,0,0.8,0.6,1.0"]
    rows += [f"{name},1,1.0,0.25,4.0" for name in NAMES[2:]]
    table = "ParamName,LogFlag,FiducialVal,MinVal,MaxVal\n" + "\n".join(rows) + "\n"
    (root / "ranges.csv").write_text(table)
    return written
