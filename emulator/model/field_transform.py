"""All fields of a model between physical values and network channels, and its conditions."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from emulator.config import Channel
from emulator.data.condition import Condition
from emulator.fields import Field
from emulator.model.feature import Transform
from emulator.model.normalisation import Normalisation
from emulator.model.quantile import Quantile
from emulator.model.transforms import TRANSFORMS, AsinhRatio


class Encoded(NamedTuple):
    """A condition as the network sees it."""

    fields: Tensor  # (batch, 1 + level, y, x): window and context, normalised
    params: Tensor  # (batch, param), scaled; 0 where unknown
    known: Tensor  # (batch, param), 1 where known

    def repeat(self, n_times: int) -> "Encoded":
        """Every row ``n_times``, one after the other."""
        return Encoded(*(part.repeat_interleave(n_times, 0) for part in self))


def network_channels(channels: Sequence[Channel]) -> list[str]:
    """Names of the network's channels, in order: a hurdle field has two."""
    return [
        f"{channel.name}{suffix}"
        for channel in channels
        for suffix in TRANSFORMS[channel.transform].suffixes
    ]


def of_network(channels: Sequence[Channel]) -> list[Channel]:
    """Channel of the model that each channel of the network belongs to, in order."""
    return [c for c in channels for _ in TRANSFORMS[c.transform].suffixes]


def transform_of(channel: Channel) -> Transform:
    """Transform of a channel, with the channel's options."""
    if channel.transform == "asinh_ratio" and channel.linear_width is not None:
        return AsinhRatio(channel.linear_width)
    if channel.transform == "quantile" and channel.quantiles is not None:
        return Quantile(channel.quantiles, None if channel.field.signed else 0.0)
    return TRANSFORMS[channel.transform]


def cosmic_reference(dmo: Tensor, baryon_fraction: Tensor, field: Field) -> Tensor:
    """DMO mass times the cosmic share of a field: what it would be if it followed the matter.

    Parameters
    ----------
    dmo
        DMO mass ``(..., y, x)`` [Msun/h per pixel].
    baryon_fraction
        Omega_b / Omega_m, ``(...)``.
    field
        Its share; without one it is zero.
    """
    match field.share:
        case "dark_matter":
            return dmo * (1.0 - baryon_fraction)[..., None, None]
        case "baryons":
            return dmo * baryon_fraction[..., None, None]
        case "matter":
            return dmo
    return torch.zeros_like(dmo)


def raw_features(
    target: Tensor, dmo: Tensor, baryon_fraction: Tensor, channels: Sequence[Channel]
) -> tuple[Tensor, Tensor]:
    """Apply the forward transforms without z-scoring.

    Parameters
    ----------
    target
        Fields in their units, ``(..., field, y, x)`` in the order of ``channels``.
    dmo
        DMO mass [Msun/h per pixel], ``(..., y, x)``.
    baryon_fraction
        Omega_b / Omega_m, ``(...)``.
    channels
        Fields, transforms and floors.

    Returns
    -------
    Features ``(..., channel, y, x)`` and a mask of the same shape: false where a feature is not
    defined (the amplitude of an empty pixel), and holds zero.
    """
    features = [
        feature
        for index, channel in enumerate(channels)
        for feature in transform_of(channel).forward(
            target[..., index, :, :],
            cosmic_reference(dmo, baryon_fraction, channel.field) + channel.floor,
            channel.floor,
        )
    ]
    values, defined = zip(*features, strict=True)
    return torch.stack(values, dim=-3), torch.stack(defined, dim=-3)


def condition_features(maps: Tensor, normalisation: Normalisation) -> Tensor:
    """Conditions ``(batch, layer, y, x)`` as the network sees them, without z-scoring."""
    if normalisation.given is None:
        return (maps + (normalisation.condition_floor_msunh or 0.0)).log()
    return transformed_conditions(maps, normalisation.given)


def transformed_conditions(maps: Tensor, rows: Sequence[Field]) -> Tensor:
    """Conditions of arrays ``(..., layer, y, x)``, each by the transform of its row."""
    layers = maps.unbind(dim=-3)
    features = [
        TRANSFORMS[row.transform].forward(layer, torch.zeros_like(layer), row.floor)[0].values
        for layer, row in zip(layers, rows, strict=True)
    ]
    return torch.stack(features, dim=-3)


class FieldTransform:
    """Forward and inverse transform of all fields, and of conditions, with fitted statistics.

    Parameters
    ----------
    normalisation
        Statistics and channels, from the training split.
    """

    def __init__(self, normalisation: Normalisation) -> None:
        self.normalisation = normalisation
        self.channels = normalisation.channels
        self.mean = torch.tensor(normalisation.target_mean)[:, None, None]
        self.std = torch.tensor(normalisation.target_std)[:, None, None]

    def transform(self, target: Tensor, condition: Condition) -> Tensor:
        """``target (batch, field, y, x)`` to network channels ``(batch, channel, y, x)``."""
        fraction = self.normalisation.baryon_fraction(condition.params).to(target)
        features, defined = raw_features(target, condition.field, fraction, self.channels)
        scaled = (features - self.mean.to(features)) / self.std.to(features)
        return torch.where(defined, scaled, 0.0)

    def observe(self, observed: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        """Network channels of values that are known here and there, and where they are.

        Parameters
        ----------
        observed
            ``(batch, field, y, x)``, NaN where unknown.
        condition
            As in :meth:`transform`.

        Returns
        -------
        Channels and a mask of 0 and 1, ``(batch, channel, y, x)``; a hurdle's amplitude is known
        only where the field is occupied.
        """
        known = ~torch.isnan(observed)
        filled = torch.where(known, observed, 0.0)
        fraction = self.normalisation.baryon_fraction(condition.params).to(filled)
        _, defined = raw_features(filled, condition.field, fraction, self.channels)
        copies = [len(TRANSFORMS[channel.transform].suffixes) for channel in self.channels]
        repeats = torch.tensor(copies, device=known.device)
        mask = known.repeat_interleave(repeats, dim=-3) & defined
        return self.transform(filled, condition), mask.to(filled.dtype)

    def inverse_transform(
        self, z: Tensor, condition: Condition, *, relaxed: bool = False
    ) -> Tensor:
        """Network channels ``(batch, channel, y, x)`` to fields ``(batch, field, y, x)``.

        ``relaxed`` changes no value, but lets gradients through the step of a hurdle.
        """
        fraction = self.normalisation.baryon_fraction(condition.params).to(z)
        left = (z * self.std.to(z) + self.mean.to(z)).unbind(dim=-3)
        fields = []
        for channel in self.channels:
            transform, floor = transform_of(channel), channel.floor
            n_channels = len(transform.suffixes)
            own, left = left[:n_channels], left[n_channels:]
            reference = cosmic_reference(condition.field, fraction, channel.field) + floor
            inverse = transform.relaxed_inverse if relaxed else transform.inverse
            fields.append(inverse(list(own), reference, floor))
        return torch.stack(fields, dim=-3)

    def encode(self, condition: Condition) -> Encoded:
        """Log and z-score the DMO window and its context; scale the parameters.

        A whole box has no context, and gets none.
        """
        maps = torch.cat([condition.field.unsqueeze(1), condition.context], dim=1)
        fields = self.encode_layers(maps)
        scaled = self.normalisation.scale_params(condition.params).to(maps)
        known = torch.isfinite(scaled).to(maps)
        return Encoded(fields, torch.nan_to_num(scaled, nan=0.0), known)

    def encode_layers(self, maps: Tensor) -> Tensor:
        """Log and z-score DMO masses ``(..., layer, y, x)``: the window, and its context.

        What it does to a pixel depends on the layer alone. Conditions of arrays are seen as their
        rows say.
        """
        layers = slice(maps.shape[-3])
        mean = torch.tensor(self.normalisation.condition_mean[layers]).to(maps)[:, None, None]
        std = torch.tensor(self.normalisation.condition_std[layers]).to(maps)[:, None, None]
        return (condition_features(maps, self.normalisation) - mean) / std
