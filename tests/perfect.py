"""Metrics of one channel that could not be better, and what makes them worse."""

import json

import numpy as np
import xarray as xr

from emulator.config import ValidationConfig

CONFIG = ValidationConfig(
    k_min_hmpc=2.0,
    k_max_hmpc=4.0,
    bars={"crps_gain": 0.25, "spread_skill": (0.75, 1.25), "power": {"gas": 0.25}},
)


def with_bars(config, **bars):
    """The config with some bars replaced."""
    return config.model_copy(update={"bars": config.bars.model_copy(update=bars)})


K = np.array([1.0, 2.0, 3.0, 4.0, 5.0])


def estimates(*values):
    return xr.DataArray([list(values)], dims=("channel", "estimate"))


def by_scale(*values):
    return estimates(*values).expand_dims(scale=4).copy()


def perfect():
    """Summary of one channel that could not be better; every number has an interval."""
    ratio = np.stack([np.ones(5), np.full(5, 0.9), np.full(5, 1.1)])
    power = (("field", "estimate", "k"), ratio[None])
    return xr.Dataset(
        {
            "crps_gain": by_scale(0.5, 0.4, 0.6),
            "crps_power_gain": estimates(0.5, 0.4, 0.6),
            "best_baseline": (("scale", "channel"), 4 * [["quantile_table"]]),
            "best_baseline_power": ("channel", ["quantile_table"]),
            "power_ratio_summed": power,
            "power_ratio_median": (power[0], power[1].copy()),
            "spread_skill": estimates(1.0, 0.95, 1.05),
            "mass_ratio": estimates(1.0, 0.99, 1.01).rename(channel="field"),
            **{
                f"variance_{what}": (
                    ("channel", "estimate", "dmo_density"),
                    np.tile(values, (1, 3, 1)),
                )
                for what, values in {"ratio": [1.0, 1.0], "share": [0.3, 0.7]}.items()
            },
        },
        coords={
            "scale": [1, 2, 8, 16],
            "forecast": ["model", "quantile_table"],
            "forecast_label": ("forecast", ["model", "quantile table"]),
            "channel": ["gas"],
            "field": ["gas"],
            "estimate": ["value", "low", "high"],
            "k": K,
            "dmo_density": ["thin", "dense"],
            "simulation": ["CV_0", "CV_1", "CV_2"],
            "member": np.arange(8),
        },
        attrs={"n_runs": 2, "notice": "made by hand", "config": json.dumps({"enforce": True})},
    )


def with_gain(value, scale=1):
    changed = perfect()
    changed["crps_gain"].loc[{"scale": scale}] = [[value, np.nan, np.nan]]
    return changed


def with_spread(value):
    return perfect().assign(spread_skill=estimates(value, 0.5, 1.5))


def with_power(values, name="power_ratio_summed"):
    changed = perfect()
    for k, value in values.items():
        changed[name].loc[{"field": "gas", "estimate": "value", "k": k}] = value
    return changed
