"""Which painter a call asks for."""

from typing import Any, Literal, cast

from emulator.io import EmulatorError
from emulator.sampling.painting.any_painter import AnyPainter
from emulator.sampling.painting.halos import Draws, HaloPainter
from emulator.sampling.painting.held import HeldPainter
from emulator.sampling.painting.painter import Painter, Paints
from emulator.sampling.painting.slabs import SlabPainter, require_no_slabs
from emulator.sampling.sums import check_sums

Mode = Literal["blend", "halos"]

_OF_HALOS = ("halos", "mass_threshold", "r_in", "r_out")


def build_painter(
    model: Paints,
    source: Any,
    params: Any = None,
    *,
    mode: Mode = "blend",
    slabs: bool = False,
    drop_remainder: bool = False,
    of_halos: dict[str, Any] | None = None,
    constraints: Any = None,
    **options: Any,
) -> AnyPainter:
    """Painter of a map, of all slabs of a box, or of halos.

    Parameters
    ----------
    model, source, params, options
        See :meth:`emulator.sampling.base.BaseEmulator.paint`.
    mode, slabs, drop_remainder
        See there.
    of_halos
        ``halos``, ``mass_threshold``, ``r_in`` and ``r_out``; what is None is left out.
    constraints
        Masses that each member holds: see :func:`~emulator.sampling.sums.check_sums`.

    Raises
    ------
    EmulatorError
        A mode that is none, options of another mode, sums that cannot be held, and what the
        painters refuse.
    """
    fields = [channel.field for channel in model.card.normalisation.channels]
    sums = check_sums(constraints, fields, 1)
    if sums and slabs:
        raise EmulatorError("constraints: of one map: paint slabs one by one to hold sums")
    painter = _of_mode(
        model, source, params, mode=mode, slabs=slabs, drop_remainder=drop_remainder,
        of_halos=of_halos, options=options,
    )  # fmt: skip
    if not sums:
        return painter
    return HeldPainter(painter, sums, fields, options.get("out_of_range", "raise"))


def _of_mode(
    model: Paints,
    source: Any,
    params: Any,
    *,
    mode: Mode,
    slabs: bool,
    drop_remainder: bool,
    of_halos: dict[str, Any] | None,
    options: dict[str, Any],
) -> AnyPainter:
    given = {name: value for name, value in (of_halos or {}).items() if value is not None}
    if unknown := [name for name in given if name not in _OF_HALOS]:
        raise EmulatorError(f"paint: expected some of {', '.join(_OF_HALOS)}, got {unknown}")
    if mode not in ("blend", "halos"):
        raise EmulatorError(f"paint: mode: expected blend or halos, got {mode!r}")
    require_no_slabs(slabs, mode)
    if drop_remainder and not slabs:
        raise EmulatorError("paint: drop_remainder is of slabs: pass slabs=True as well")
    if mode == "halos":
        return HaloPainter(cast(Draws, model), source, params, **given, **options)
    if given:
        raise EmulatorError(f"paint: {', '.join(given)}: only of mode halos")
    if slabs:
        return SlabPainter(model, source, params, drop_remainder=drop_remainder, **options)
    return Painter(model, source, params, **options)
