"""Writers of small snapshots, catalogues and tables, with h5py alone."""

import h5py
import numpy as np

BOX_KPCH = 25_000.0
COSMOLOGY = {"Redshift": 0.0, "Time": 1.0, "Omega0": 0.3, "OmegaLambda": 0.7, "HubbleParam": 0.6711}


def write_snapshot(
    path, groups, *, mass_table=(0.0,) * 6, n_files=1, totals=None, drop=(), **header
):
    """Write one file; ``groups``: particle type -> dataset name -> array."""
    counts = [len(groups[t]["Coordinates"]) if t in groups else 0 for t in range(6)]
    totals = counts if totals is None else totals
    attrs = {
        "BoxSize": BOX_KPCH,
        "MassTable": np.array(mass_table),
        "NumPart_ThisFile": np.array(counts, np.int32),
        "NumPart_Total": np.array([t & 0xFFFFFFFF for t in totals], np.uint32),
        "NumPart_Total_HighWord": np.array([t >> 32 for t in totals], np.uint32),
        "NumFilesPerSnapshot": n_files,
        "OmegaBaryon": 0.049,
        **COSMOLOGY,
        **header,
    }
    if "Redshift" in header and "Time" not in header:
        attrs["Time"] = 1.0 / (1.0 + np.maximum(header["Redshift"], 0.0))
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as handle:
        handle.create_group("Header").attrs.update(
            {key: value for key, value in attrs.items() if key not in drop}
        )
        for number, datasets in groups.items():
            for name, values in datasets.items():
                handle[f"PartType{number}/{name}"] = values
    return path


def write_catalogue(path, position_kpch, mass, radius_kpch, **header):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as handle:
        handle.create_group("Header").attrs.update(
            {"BoxSize": BOX_KPCH, "Ngroups_Total": len(mass), "NumFiles": 1, **header}
        )
        handle["Group/GroupPos"] = np.asarray(position_kpch, np.float32)
        handle["Group/Group_M_Crit200"] = np.asarray(mass, np.float32)
        handle["Group/Group_R_Crit200"] = np.asarray(radius_kpch, np.float32)
    return path


def write_tiny_root(root, suite):
    rng = np.random.default_rng(7)
    side = suite.n_particles
    lattice = (np.indices((side,) * 3).reshape(3, -1).T + 0.5) * (BOX_KPCH / side)
    dm = (lattice + rng.normal(0, 600.0, lattice.shape)).astype(np.float32) % BOX_KPCH
    gas = (lattice + rng.normal(0, 900.0, lattice.shape)).astype(np.float32) % BOX_KPCH
    stars = (dm[:40] + rng.normal(0, 50.0, (40, 3))).astype(np.float32) % BOX_KPCH
    times = np.where(np.arange(40) < 30, 0.5, -0.5).astype(np.float32)
    write_snapshot(
        suite.path("dmo_snapshot", root, "CV_0"),
        {1: {"Coordinates": dm}},
        mass_table=(0, 75.0, 0, 0, 0, 0),
    )
    hydro = suite.path("hydro_snapshot", root, "CV_0")
    write_snapshot(
        hydro,
        {
            0: {"Coordinates": gas, "Masses": rng.uniform(11, 13, len(gas)).astype(np.float32)},
            1: {"Coordinates": dm},
            4: {
                "Coordinates": stars,
                "Masses": rng.uniform(1, 2, 40).astype(np.float32),
                "GFM_StellarFormationTime": times,
            },
        },
        mass_table=(0, 63.0, 0, 0, 0, 0),
    )
    with h5py.File(hydro, "r+") as handle:
        handle.attrs["notice"] = "a notice"
    write_catalogue(
        suite.path("dmo_catalogue", root, "CV_0"), dm[:3], [900.0, 50.0, 0.0], [400.0, 150.0, 0.0]
    )
    table = suite.path("parameters", root, "CV_0")
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_text("#Name Omega_m sigma_8 A_SN1 seed\nCV_0 0.3 0.8 1.0 5\nCV_1 0.3 0.8 2.0 6\n")
    suite.path("ranges", root, "CV_0").write_text(
        "ParamName,AbsMaxDiff,LogFlag,FiducialVal,MinVal,MaxVal,Description\n"
        "sigma8,0.2,0,0.8,0.6,1.0,s\nASN1,4,1,1.0,0.25,4.0,w\nOmega0,0.2,0,0.3,0.1,0.5,m\n"
    )
    return root


def damage(path, change):
    with h5py.File(path, "r+") as handle:
        change(handle)


def set_value(name, index, value):
    def change(handle):
        handle[name][index] = value

    return change


def write_swift(path, groups, *, box_mpc=30.0, hubble_h=0.7, **header):
    """Write one SWIFT file: lengths in Mpc, masses in 1e10 Msun, neither with 1/h."""
    counts = [len(groups[t]["Coordinates"]) if t in groups else 0 for t in range(7)]
    attrs = {
        "BoxSize": np.full(3, box_mpc),
        "NumPart_ThisFile": np.array(counts, np.int64),
        "NumPart_Total": np.array(counts, np.uint32),
        "NumPart_Total_HighWord": np.zeros(7, np.uint32),
        "NumFilesPerSnapshot": np.array([1]),
        "Redshift": np.array([0.5]),
        **header,
    }
    with h5py.File(path, "w") as handle:
        handle.create_group("Header").attrs.update(attrs)
        handle.create_group("Code").attrs["Code"] = np.bytes_("SWIFT")
        handle.create_group("Units").attrs.update(
            {
                "Unit length in cgs (U_L)": np.array([3.08567758e24]),
                "Unit mass in cgs (U_M)": np.array([1.98841e43]),
            }
        )
        handle.create_group("Cosmology").attrs.update(
            {"h": [hubble_h], "Omega_m": [0.3], "Omega_b": [0.048]}
        )
        for number, datasets in groups.items():
            for name, values in datasets.items():
                handle[f"PartType{number}/{name}"] = values
    return path
