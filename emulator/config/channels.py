"""Channels: the fields that a model draws, and how the network sees them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

from pydantic import Field as Value
from pydantic import (
    FiniteFloat,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from emulator.config.section import Scale, Section, renamed
from emulator.fields import Field, Floor, TransformName, require_transform

OccupancyScale = Literal["z_score", "analog_bits"]
EmptyAmplitude = Literal["zero", "noise", "masked"]

_OPTIONS_OF: dict[str, TransformName] = {
    "occupancy": "hurdle",
    "empty_amplitude": "hurdle",
    "linear_width": "asinh_ratio",
}
"""Options that only one transform has."""


class ChannelConfig(Section):
    """A field of ``data.fields`` that the model draws; what is null is as the field's row says.

    ``log_ratio``: log of the ratio to the DMO mass times the cosmic share of the field;
    ``asinh_ratio``: asinh of that ratio less one; ``log``: ``log(x + floor)``; ``hurdle``: two
    network channels, occupancy and log ratio where occupied; ``asinh``: ``asinh(x / floor)``, for
    signed fields; ``identity``: the values themselves; ``quantile``: the standard normal score of
    a value among those of the training split, of arrays alone. All are z-scored with statistics of
    the training split, but for occupancies that are analog bits.
    """

    name: str = Value(description="a field of data.fields")
    transform: TransformName | None = Value(
        None, description="from field to channels; default: that in the row of the field"
    )
    floor: Floor | None = Value(
        None,
        description="added before the logarithm or ratio; less than this is an empty pixel of a "
        "hurdle field; the scale of an asinh; in units of the field",
    )
    loss_weight: Scale | None = Value(
        None, description="of its errors in the loss; default: that in the row of the field"
    )
    data_noise: Scale | None = Value(
        None,
        description="standard deviation of p(x|z_0) of this field; default: diffusion.data_noise",
    )
    occupancy: OccupancyScale | None = Value(
        None,
        description="of a hurdle field: its occupancy is z-scored like any channel (z_score, the "
        "default), or -1 and 1 as they are (analog_bits)",
    )
    empty_amplitude: EmptyAmplitude | None = Value(
        None,
        description="of a hurdle field, its amplitude in empty pixels: zero (the default), fresh "
        "unit noise, or masked: left out of the loss, which is then per occupied pixel",
    )
    linear_width: Scale | None = Value(
        None,
        description="of asinh_ratio: departure of the ratio from one up to which it is linear; "
        "default: the standard deviation over the training split",
    )

    @model_validator(mode="before")
    @classmethod
    def _old_name_of_the_floor(cls, value: Any) -> Any:
        return renamed(value, "floor_msunh", "floor")


class Channel(Section):
    """A field as a model draws it, with nothing left open."""

    field: Field
    transform: TransformName
    floor: Floor
    loss_weight: Scale
    data_noise: Scale | None = None
    occupancy: OccupancyScale = "z_score"
    empty_amplitude: EmptyAmplitude = "zero"
    linear_width: Scale | None = None
    """Of asinh_ratio; None: not fitted yet."""
    quantiles: tuple[tuple[FiniteFloat, FiniteFloat], ...] | None = None
    """Of quantile: values and their normal scores, both increasing; None: not fitted yet."""

    @model_serializer(mode="wrap")
    def _without_what_others_have(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Files of other transforms are as they were before there were quantiles."""
        written: dict[str, Any] = handler(self)
        return {k: v for k, v in written.items() if k != "quantiles" or v is not None}

    @model_validator(mode="after")
    def _quantiles_increase(self) -> "Channel":
        columns = zip(*self.quantiles, strict=True) if self.quantiles is not None else ()
        if self.quantiles is not None and (
            len(self.quantiles) < 2
            or any(not low < high for column in columns for low, high in pairwise(column))
        ):
            raise ValueError(
                f"quantiles of {self.field.name}: expected two or more, of increasing values and "
                "scores"
            )
        return self

    @model_validator(mode="after")
    def _transform_fits(self) -> "Channel":
        require_transform(self.field, self.transform)
        return self

    @property
    def name(self) -> str:
        """Name of the field."""
        return self.field.name


def resolve_channels(
    channels: Sequence[ChannelConfig] | None, fields: Sequence[Field]
) -> tuple[Channel, ...]:
    """Channels of a config with the rows of their fields; null is all fields.

    Raises
    ------
    ValueError
        A channel that is no field of ``data.fields``, a transform that its field does not allow, or
        an option of another transform.
    """
    known = {field.name: field for field in fields}
    given = [ChannelConfig(name=name) for name in known] if channels is None else channels
    unknown = [channel.name for channel in given if channel.name not in known]
    if unknown:
        raise ValueError(
            f"model.channels names {unknown}, and data.fields are {', '.join(known)}: add it there"
        )
    return tuple(_resolved(channel, known[channel.name]) for channel in given)


def _resolved(channel: ChannelConfig, field: Field) -> Channel:
    def given(name: str) -> Any:
        value = getattr(channel, name)
        return getattr(field, name) if value is None else value

    transform = given("transform")
    require_transform(field, transform)
    options = {name: getattr(channel, name) for name in _OPTIONS_OF}
    options = {name: value for name, value in options.items() if value is not None}
    for name in options:
        if transform != _OPTIONS_OF[name]:
            raise ValueError(
                f"{name} is an option of transform {_OPTIONS_OF[name]}, and {field.name} has "
                f"{transform}: leave it out, or choose that transform"
            )
    return Channel(
        field=field,
        transform=transform,
        floor=given("floor"),
        loss_weight=given("loss_weight"),
        data_noise=channel.data_noise,
        **options,
    )
