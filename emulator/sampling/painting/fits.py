"""Painted boxes as FITS: an image extension for each channel, ``(member, y, x)``.

With slabs an image is ``(member, slab, y, x)``; ``SLABS`` is JSON of their labels.

Axes are linear, comoving, in Mpc/h, and begin at the edge of the box. FITS readers that parse units
take ``Mpc/h`` as megaparsec per hour: it is a label. All headers say parameters (``PNAMEn``,
``PVALn``), seed and numbers of the members; ``RECORD`` of the first is JSON of all attributes, and
``SUMFACT`` of the factors that members were scaled by to hold sums, by name. Data are written plane
by plane, so that memory holds one.

References
----------
Pence et al. (2010), A&A 524, A42 (FITS 3.0); Greisen & Calabretta (2002), A&A 395, 1061 (WCS).
"""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from emulator.fields import load_fields
from emulator.io import DataError, EmulatorError, atomic_path, require_extra
from emulator.sampling.painting.folder import OTHER, identity
from emulator.sampling.sums import FACTOR
from emulator.units import Unit

if TYPE_CHECKING:
    import xarray as xr
    from astropy.io.fits import Header

_BLOCK = 2880
Plane = Callable[..., np.ndarray]
"""``(y, x)`` by row, slab (where there are slabs) and channel."""

_LEAD = ("member", "slab")
"""Dimensions that may come before those of a plane, in this order."""


class _Image(NamedTuple):
    name: str
    unit: str
    lead: tuple[str, ...]  # dimensions before y and x
    planes: Iterator[np.ndarray]


def write_fits(painted: "xr.Dataset", path: str | Path, plane: Plane | None = None) -> None:
    """Write a painted box, or its mean and standard deviation, as FITS; atomically.

    Parameters
    ----------
    painted
        As :meth:`~emulator.sampling.base.BaseEmulator.paint` returns it, ``fields (member, channel,
        y, x)``; or a summary, ``mean`` and ``std (channel, y, x)``. With slabs these are before the
        channel.
    path
        The file.
    plane
        Where the values of ``fields`` come from: ``(y, x)`` of a row, a slab (where there are
        slabs) and a channel. Default: of ``painted``.

    Raises
    ------
    EmulatorError
        Without the package astropy, for a Dataset that is no painted box, or a file that cannot be
        written.
    """
    require_extra("astropy", "formats", "FITS")
    images = list(_images(painted, plane))
    common = _common(painted)
    with atomic_path(path) as partial, partial.open("wb") as handle:
        handle.write(_primary(painted, common).tostring().encode("ascii"))
        for image in images:
            _write_image(handle, image, painted, common)


def read_labels(path: Path) -> tuple[list[int], dict[str, object]]:
    """Numbers and identity of the members of a file that :func:`write_fits` wrote.

    Raises
    ------
    DataError
        A damaged file, or one of something else.
    """
    require_extra("astropy", "formats", "FITS")
    from astropy.io import fits

    try:
        with fits.open(path) as found:
            header = found[0].header
            if "IDENTITY" in header and "MEMBERS" in header:
                return json.loads(header["MEMBERS"]), json.loads(header["IDENTITY"])
    except (OSError, ValueError, KeyError) as error:
        got = f"{type(error).__name__}: {error}"
        raise DataError(path, "a readable FITS file", got) from error
    raise DataError(path, "members of a painted box", "something else", OTHER)


def read_plane(path: Path, *place: int) -> np.ndarray:
    """One field ``(y, x)`` of a file, by its row, slab (where there are slabs) and channel."""
    from astropy.io import fits

    *lead, channel = place
    try:
        with fits.open(path) as found:
            return np.array(found[1 + channel].section[tuple(lead)], np.float32)
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise DataError(path, "a whole FITS file", f"{type(error).__name__}: {error}") from error


def read_factors(path: Path) -> np.ndarray:
    """Factors ``(sum, member)`` of a file whose members hold sums."""
    from astropy.io import fits

    try:
        said = json.loads(fits.getheader(path)["SUMFACT"])
    except (OSError, ValueError, KeyError) as error:
        got = f"{type(error).__name__}: {error}"
        raise DataError(path, "a FITS file of members that hold sums", got) from error
    return np.array(list(said.values()), np.float64)


def _images(painted: "xr.Dataset", plane: Plane | None) -> Iterator[_Image]:
    kind = next((name for name in ("fields", "mean") if name in painted), None)
    held = () if kind is None else painted[kind].dims[:-3]
    lead = tuple(name for name in _LEAD if name in held)
    ends = ("channel", "y", "x")
    if (
        kind is None
        or painted[kind].dims != lead + ends
        or ("member" in lead) != (kind == "fields")
    ):
        found = ", ".join(f"{name} {each.dims}" for name, each in painted.data_vars.items())
        raise EmulatorError(
            f"FITS: expected a painted box, fields (member, channel, y, x), or its mean and std "
            f"(channel, y, x), got {found or 'an empty Dataset'}"
        )
    channels = painted["channel"].values.tolist()
    fields = load_fields(painted.attrs, channels, "the Dataset")
    for number, field in enumerate(fields):
        name = field.name.upper()
        if kind == "fields":
            yield _Image(name, field.unit, lead, _planes(painted["fields"], number, plane))
            continue
        for statistic in ("mean", "std"):
            planes = _planes(painted[statistic], number)
            yield _Image(f"{name}_{statistic.upper()}", field.unit, lead, planes)
    condition = painted["condition"]
    unit, around = str(condition.attrs["units"]), tuple(map(str, condition.dims[:-2]))
    yield _Image(
        "CONDITION", unit, around, iter(condition.values.reshape(-1, *condition.shape[-2:]))
    )


def _planes(
    values: "xr.DataArray", channel: int, plane: Plane | None = None
) -> Iterator[np.ndarray]:
    """Planes of a channel, of members and slabs in turn."""
    for place in np.ndindex(values.shape[:-3]):
        yield values[(*place, channel)].values if plane is None else plane(*place, channel)


def _common(painted: "xr.Dataset") -> "Header":
    """Cards of every header."""
    from astropy.io.fits import Header

    header = Header()
    for name in ("pixel_mpch", "depth_mpch", "redshift"):
        if name in painted.attrs:
            header[name.removesuffix("_mpch").upper()] = (
                float(painted.attrs[name]), str(Unit.LENGTH) if name.endswith("_mpch") else "",
            )  # fmt: skip
    header["SEED"] = int(painted["seed"])
    names = painted["parameter"].values.tolist()
    for number, (name, value) in enumerate(
        zip(names, painted["params"].values.tolist(), strict=True), start=1
    ):
        header[f"PNAME{number}"] = name
        header[f"PVAL{number}"] = value if math.isfinite(value) else None
    return header


def _primary(painted: "xr.Dataset", common: "Header") -> "Header":
    from astropy.io.fits import Header

    header = Header([("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0), ("EXTEND", True)])
    header.extend(common)
    if "member" in painted.dims:
        header["MEMBERS"] = json.dumps(painted["member"].values.tolist())
        header["IDENTITY"] = json.dumps(identity(painted))
        if FACTOR in painted:
            factors = painted[FACTOR].transpose("sum", "member").values.tolist()
            sums = painted["sum"].values.tolist()
            header["SUMFACT"] = json.dumps(dict(zip(sums, factors, strict=True)))
    elif "n_members" in painted.attrs:
        header["NMEMBERS"] = int(painted.attrs["n_members"])
    header["RECORD"] = json.dumps({str(k): _plain(v) for k, v in painted.attrs.items()})
    return header


def _write_image(handle: BinaryIO, image: _Image, painted: "xr.Dataset", common: "Header") -> None:
    from astropy.io.fits import Header

    sizes = [painted.sizes[dim] for dim in ("x", "y", *reversed(image.lead))]
    header = Header([("XTENSION", "IMAGE"), ("BITPIX", -32), ("NAXIS", len(sizes))])
    for axis, size in enumerate(sizes, start=1):
        header[f"NAXIS{axis}"] = size
    header["PCOUNT"], header["GCOUNT"] = 0, 1
    header["EXTNAME"], header["BUNIT"] = image.name, image.unit
    for axis, name in enumerate(("x", "y"), start=1):
        step = float(painted.attrs["pixel_mpch"])
        first = float(painted[name][0])
        _axis(header, axis, (name.upper(), str(Unit.LENGTH), step, first))
    for axis, dim in enumerate(reversed(image.lead), start=3):
        labels = painted[dim].values.tolist()
        header[f"{dim.upper()}S"] = json.dumps(labels)
        if dim == "slab":
            _axis(header, axis, ("SLAB", "", 1.0, 0.0))
        elif labels == list(range(labels[0], labels[0] + len(labels))):
            _axis(header, axis, ("MEMBER", "", 1.0, labels[0]))
        else:
            _axis(header, axis, ("ROW", "", 1.0, 1.0))
    header.extend(common)
    handle.write(header.tostring().encode("ascii"))
    n_bytes = 0
    for plane in image.planes:
        n_bytes += handle.write(np.ascontiguousarray(plane, ">f4").tobytes())
    handle.write(b"\0" * (-n_bytes % _BLOCK))


def _axis(header: "Header", axis: int, said: tuple[str, str, float, float]) -> None:
    """Linear coordinates of one axis: name, unit, step, and value at the middle of pixel 1."""
    name, unit, step, first = said
    header[f"CTYPE{axis}"] = name
    if unit:
        header[f"CUNIT{axis}"] = unit
    header[f"CRPIX{axis}"], header[f"CDELT{axis}"], header[f"CRVAL{axis}"] = 1.0, step, first


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value
