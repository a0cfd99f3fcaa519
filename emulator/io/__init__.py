"""Files: opened and checked, written atomically, sealed with their checksum.

A file either carries its final name and is whole, or it does not exist. What this project writes
bears a checksum that is verified when it is read. Readers raise :class:`DataError` that names file,
key, what was expected and what was found.
"""

from emulator.io.arrays import array_errors, checked_values, is_archive, open_arrays
from emulator.io.atomic import atomic_path, reserve, write_bytes, write_errors, write_text
from emulator.io.errors import DataError, EmulatorError
from emulator.io.extras import require_extra
from emulator.io.hdf5 import dataset_of, h5py_errors, names_in, open_hdf5, require_attribute
from emulator.io.lock import locked
from emulator.io.names import path_part
from emulator.io.netcdf import read_dataset, write_dataset
from emulator.io.seal import (
    REMAKE,
    append_seal,
    seal_in,
    seal_of,
    verify,
    verify_if_sealed,
    verify_own,
)
from emulator.io.stores import open_store
from emulator.io.text import is_file, read_json, read_lines, read_text, write_json

__all__ = [
    "REMAKE",
    "DataError",
    "EmulatorError",
    "append_seal",
    "array_errors",
    "atomic_path",
    "checked_values",
    "dataset_of",
    "h5py_errors",
    "is_archive",
    "is_file",
    "locked",
    "names_in",
    "open_arrays",
    "open_hdf5",
    "open_store",
    "path_part",
    "read_dataset",
    "read_json",
    "read_lines",
    "read_text",
    "require_attribute",
    "require_extra",
    "reserve",
    "seal_in",
    "seal_of",
    "verify",
    "verify_if_sealed",
    "verify_own",
    "write_bytes",
    "write_dataset",
    "write_errors",
    "write_json",
    "write_text",
]
