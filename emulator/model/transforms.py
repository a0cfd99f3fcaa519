r"""Between physical fields and what the network sees; every transform inverts on its domain.

=========== ======== ========================================== ================================
transform   channels forward                                    inverse
=========== ======== ========================================== ================================
log         1        :math:`\log(x + f)`                        :math:`\max(0, e^u - f)`
log_ratio   1        :math:`\log(x + f) - \log(s d + f)`        :math:`\max(0, (sd+f) e^u - f)`
hurdle      2        occupancy :math:`o = \pm 1`; and          :math:`(sd+f) e^a` where
                     :math:`a = \log x - \log(s d + f)` where   :math:`o > 0`, else 0
                     occupied, its mean elsewhere
=========== ======== ========================================== ================================

``x`` is a mass [Msun/h per pixel], ``d`` the DMO mass, ``s`` the cosmic share of the field
(``f_b`` of gas, ``1 - f_b`` of dark matter), ``f`` the floor. Without the share, the spread of
``f_b`` between cosmologies would hide what happens inside halos. A pixel is occupied when
``x > f``: less mass than the floor counts as empty (that is the hurdle's domain: 0 or above ``f``).
The maximum with zero is part of the inverse: it projects onto masses, and never acts on the image
of the forward transform. Then every network channel is z-scored with statistics of the training
split.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from emulator.config import ChannelConfig
from emulator.model.normalisation import Normalisation


def network_channels(channels: Sequence[ChannelConfig]) -> list[str]:
    """Names of the network's channels, in order: a hurdle field has two."""
    names: list[str] = []
    for channel in channels:
        if channel.transform == "hurdle":
            names += [f"{channel.name}_occupancy", f"{channel.name}_amplitude"]
        else:
            names.append(channel.name)
    return names


def cosmic_reference(condition: Tensor, baryon_fraction: Tensor, channel: str) -> Tensor:
    """DMO mass times the cosmic share of a field: what it would be if baryons followed the matter.

    Parameters
    ----------
    condition
        DMO mass ``(..., y, x)`` [Msun/h per pixel].
    baryon_fraction
        Omega_b / Omega_m, ``(...)``.
    channel
        ``dm_hydro`` or a baryonic field.
    """
    share = 1.0 - baryon_fraction if channel == "dm_hydro" else baryon_fraction
    return condition * share[..., None, None]


def raw_features(
    target: Tensor, condition: Tensor, baryon_fraction: Tensor, channels: Sequence[ChannelConfig]
) -> tuple[Tensor, Tensor]:
    """Apply the forward transforms without z-scoring.

    Parameters
    ----------
    target
        Fields [Msun/h per pixel], ``(..., field, y, x)`` in the order of ``channels``.
    condition
        DMO mass [Msun/h per pixel], ``(..., y, x)``.
    baryon_fraction
        Omega_b / Omega_m, ``(...)``.
    channels
        Field names, transforms and floors.

    Returns
    -------
    Features ``(..., channel, y, x)`` and a mask of the same shape: false where a feature is not
    defined (the amplitude of an empty pixel), and holds zero.
    """
    features, defined = [], []
    for index, channel in enumerate(channels):
        x, floor = target[..., index, :, :], channel.floor_msunh
        log_reference = (cosmic_reference(condition, baryon_fraction, channel.name) + floor).log()
        everywhere = torch.ones_like(x, dtype=torch.bool)
        if channel.transform == "hurdle":
            occupied = x > floor
            amplitude = torch.where(occupied, x, 1.0).log() - log_reference
            features += [occupied.to(x.dtype) * 2 - 1, torch.where(occupied, amplitude, 0.0)]
            defined += [everywhere, occupied]
        elif channel.transform == "log_ratio":
            features.append((x + floor).log() - log_reference)
            defined.append(everywhere)
        else:
            features.append((x + floor).log())
            defined.append(everywhere)
    return torch.stack(features, dim=-3), torch.stack(defined, dim=-3)


class FieldTransform:
    """Forward and inverse transform of all fields with fitted statistics.

    Parameters
    ----------
    normalisation
        Statistics and channel declarations, from the training split.
    """

    def __init__(self, normalisation: Normalisation) -> None:
        self.normalisation = normalisation
        self.channels = normalisation.channels
        self.mean = torch.tensor(normalisation.target_mean)[:, None, None]
        self.std = torch.tensor(normalisation.target_std)[:, None, None]

    def transform(self, target: Tensor, condition: Tensor, baryon_fraction: Tensor) -> Tensor:
        """Physical ``target (..., field, y, x)`` to network channels ``(..., channel, y, x)``."""
        features, defined = raw_features(target, condition, baryon_fraction, self.channels)
        scaled = (features - self.mean.to(features)) / self.std.to(features)
        return torch.where(defined, scaled, 0.0)

    def observe(
        self, observed: Tensor, condition: Tensor, baryon_fraction: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Network channels of masses that are known here and there, and where they are.

        Parameters
        ----------
        observed
            ``(..., field, y, x)`` [Msun/h per pixel], NaN where unknown.
        condition, baryon_fraction
            As in :meth:`transform`.

        Returns
        -------
        Channels and a mask of 0 and 1, ``(..., channel, y, x)``; a hurdle's amplitude is known only
        where the field is occupied.
        """
        known = ~torch.isnan(observed)
        filled = torch.where(known, observed, 0.0)
        _, defined = raw_features(filled, condition, baryon_fraction, self.channels)
        copies = torch.tensor([2 if c.transform == "hurdle" else 1 for c in self.channels])
        mask = known.repeat_interleave(copies.to(known.device), dim=-3) & defined
        return self.transform(filled, condition, baryon_fraction), mask.to(filled.dtype)

    def inverse_transform(self, z: Tensor, condition: Tensor, baryon_fraction: Tensor) -> Tensor:
        """Network channels ``(..., channel, y, x)`` to masses ``(..., field, y, x)`` [Msun/h]."""
        features = z * self.std.to(z) + self.mean.to(z)
        fields, index = [], 0
        for channel in self.channels:
            floor, first = channel.floor_msunh, features[..., index, :, :]
            reference = cosmic_reference(condition, baryon_fraction, channel.name) + floor
            if channel.transform == "hurdle":
                mass = reference * features[..., index + 1, :, :].exp()
                fields.append(torch.where(first > 0, mass, 0.0))
                index += 2
                continue
            if channel.transform == "log_ratio":
                fields.append((reference * first.exp() - floor).clamp(min=0.0))
            else:
                fields.append((first.exp() - floor).clamp(min=0.0))
            index += 1
        return torch.stack(fields, dim=-3)

    def transform_condition(self, condition: Tensor, large_scale: Tensor) -> Tensor:
        """Log and z-score the DMO window and its context.

        Parameters
        ----------
        condition, large_scale
            ``(batch, y, x)`` and ``(batch, level, y, x)`` [Msun/h per pixel].

        Returns
        -------
        ``(batch, 1 + level, y, x)``.
        """
        fields = torch.cat([condition.unsqueeze(1), large_scale], dim=1)
        mean = torch.tensor(self.normalisation.condition_mean).to(fields)[:, None, None]
        std = torch.tensor(self.normalisation.condition_std).to(fields)[:, None, None]
        return ((fields + self.normalisation.condition_floor_msunh).log() - mean) / std
