"""What a forecast without the model is worth: the baselines that stand beside it.

A baseline is a class in a file of this folder and a line in ``BASELINES`` of ``run.py``.
"""

from emulator.validation.baselines.base import Baseline, Forecast, Training
from emulator.validation.baselines.run import BASELINES, fit_baselines, forecast_windows

__all__ = ["BASELINES", "Baseline", "Forecast", "Training", "fit_baselines", "forecast_windows"]
