"""Channels: the fields that a model draws, and how the network sees them."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field as Value
from pydantic import model_validator

from emulator.config.section import Scale, Section, renamed
from emulator.fields import Field, Floor, TransformName, require_transform


class ChannelConfig(Section):
    """A field of ``data.fields`` that the model draws; what is null is as the field's row says.

    ``log_ratio``: log of the ratio to the DMO mass times the cosmic share of the field; ``log``:
    ``log(x + floor)``; ``hurdle``: two network channels, occupancy and log ratio where occupied;
    ``asinh``: ``asinh(x / floor)``, for signed fields; ``identity``: the values themselves. All are
    z-scored with statistics of the training split.
    """

    name: str = Value(description="a field of data.fields")
    transform: TransformName | None = None
    floor: Floor | None = Value(
        None,
        description="added before the logarithm; less than this is an empty pixel of a hurdle "
        "field; the scale of an asinh; in units of the field",
    )
    loss_weight: Scale | None = None
    data_noise: Scale | None = Value(
        None,
        description="standard deviation of p(x|z_0) of this field; default: diffusion.data_noise",
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
        A channel that is no field of ``data.fields``, or a transform that its field does not allow.
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
    return Channel(
        field=field,
        transform=transform,
        floor=given("floor"),
        loss_weight=given("loss_weight"),
        data_noise=channel.data_noise,
    )
