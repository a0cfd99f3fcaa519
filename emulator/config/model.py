"""The model: channels, parameters and network."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    NonNegativeInt,
    Tag,
    model_validator,
)

from emulator.config.channels import ChannelConfig
from emulator.config.section import Count, Fraction, Scale, Section, Width

Padding = Literal["zeros", "circular", "reflect"]


class BackboneConfig(Section):
    """What networks of every kind are asked for."""

    per_field: bool = Field(
        False,
        description="a network of its own for each field: all see everything, and each writes its "
        "own field; weights and time are those of as many networks",
    )

    def count(self, n_fields: int) -> int:
        """Networks that a model of so many fields has."""
        return n_fields if self.per_field else 1


class UNetConfig(BackboneConfig):
    """The `UNetVDM`: residual U-Net with FiLM from gamma and parameters."""

    kind: Literal["unet"] = "unet"
    patch: Count = Field(
        1, description="pixels a side that are folded into channels at the input (1: none)"
    )
    widths: tuple[Width, ...] = Field(
        (48, 96, 128), min_length=1, max_length=12, description="channels at each level"
    )
    blocks: Count = Field(2, description="residual blocks at each level")
    attention_levels: tuple[NonNegativeInt, ...] = Field((2,), description="levels with attention")
    cross_attention_levels: tuple[NonNegativeInt, ...] = Field(
        (), description="levels whose pixels attend to the context windows, too"
    )
    heads: Count = Field(4, description="of the attention")
    groups: Count = Field(8, description="groups of the group normalisation")
    embedding: Width = Field(128, description="width of the gamma and parameter embedding")
    fourier_frequencies: tuple[Scale, ...] = Field(
        (1.0,),
        max_length=64,
        description="frequencies (in units of pi) of the condition's Fourier features",
    )
    dropout: Fraction = Field(0.0, description="share of features that are dropped in training")
    padding: Padding = Field("zeros", description="of the convolutions at the edges of a window")
    checkpointing: bool = Field(
        False, description="compute activations again in the backward pass: less memory, more time"
    )

    @model_validator(mode="after")
    def _shapes_agree(self) -> "UNetConfig":
        bad = [width for width in self.widths if width % self.groups or width % self.heads]
        if bad:
            raise ValueError(f"widths {bad} are not multiples of groups and heads")
        for name in ("attention_levels", "cross_attention_levels"):
            if any(level >= len(self.widths) for level in getattr(self, name)):
                raise ValueError(f"{name} must be below {len(self.widths)}")
        return self

    @property
    def first_width(self) -> int:
        """Features of a folded patch of pixels on the finest level."""
        return int(self.widths[0])

    @property
    def factor(self) -> int:
        """Pixels of which the side of a field must be a multiple."""
        return int(self.patch * 2 ** (len(self.widths) - 1))

    @property
    def needs_context(self) -> bool:
        """Whether there must be context windows."""
        return bool(self.cross_attention_levels)

    def least_weights(self, ndim: int) -> int:
        """Weights that one such network has at least: of its second convolutions, downwards."""
        return int(self.blocks * 3**ndim * sum(width**2 for width in self.widths))

    def require_dimensions(self, ndim: int) -> None:
        """Refuse dimensions of space that it cannot have: none."""


class DiTConfig(BackboneConfig):
    """The `DiT`: transformer over patches, modulated by gamma and parameters."""

    kind: Literal["dit"]
    patch: Literal[2, 4, 8] = Field(4, description="pixels a side of a patch, one token each")
    width: Width = Field(256, description="features of a token")
    depth: Count = Field(8, description="blocks")
    heads: Count = Field(4, description="of the attention")
    fourier_frequencies: tuple[Scale, ...] = Field(
        (1.0,),
        max_length=64,
        description="frequencies (in units of pi) of the condition's Fourier features",
    )
    dropout: Fraction = Field(0.0, description="share of features that are dropped in training")
    checkpointing: bool = Field(
        False, description="compute activations again in the backward pass: less memory, more time"
    )

    @model_validator(mode="after")
    def _shapes_agree(self) -> "DiTConfig":
        if self.width % self.heads or self.width % 4:
            raise ValueError(f"width ({self.width}) must be a multiple of heads and of 4")
        return self

    def require_dimensions(self, ndim: int) -> None:
        """Refuse a width that does not divide into sines and cosines along each axis of space.

        Raises
        ------
        ValueError
            Names the key.
        """
        if self.width % (2 * ndim):
            raise ValueError(
                f"model.network.width: expected a multiple of {2 * ndim} in {ndim} dimensions, got "
                f"{self.width}"
            )

    @property
    def first_width(self) -> int:
        """Features of a token."""
        return int(self.width)

    @property
    def factor(self) -> int:
        """Pixels of which the side of a field must be a multiple."""
        return self.patch

    @property
    def needs_context(self) -> bool:
        """Whether there must be context windows."""
        return False

    def least_weights(self, ndim: int) -> int:
        """Weights that one such network has at least: of the attention of its blocks."""
        return int(self.depth * 3 * self.width**2)


def _kind(value: Any) -> str:
    """Kind of a network section; a U-Net where none is named."""
    named = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    return "unet" if named is None else str(named)


NetworkConfig = Annotated[
    Annotated[UNetConfig, Tag("unet")] | Annotated[DiTConfig, Tag("dit")], Discriminator(_kind)
]
"""A backbone: ``kind: unet`` (the default) or ``kind: dit``."""


EMBEDDED_PARAMETERS = ("Omega_m", "sigma_8", "A_SN1", "A_AGN1", "A_SN2", "A_AGN2")
"""What the embedded suite varies."""


class ModelConfig(Section):
    """Channels, parameters and network."""

    channels: tuple[ChannelConfig, ...] | None = Field(
        None, description="what the model draws; null: all of data.fields, as their rows say"
    )
    params: tuple[str, ...] = Field(
        EMBEDDED_PARAMETERS,
        description="parameters that condition the model, by name",
    )
    network: NetworkConfig = UNetConfig()

    @model_validator(mode="after")
    def _names_are_unique(self) -> "ModelConfig":
        names = [channel.name for channel in self.channels or ()]
        if len(set(names)) != len(names) or self.channels == ():
            raise ValueError(f"channels must be named once each, got {names}")
        if len(set(self.params)) != len(self.params):
            raise ValueError(f"params repeat: {list(self.params)}")
        return self
