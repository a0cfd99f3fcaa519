"""Where a model draws."""

import torch

from emulator.io import EmulatorError


def chosen_device(device: str | torch.device | None = None) -> torch.device:
    """The device that is asked for; default: a GPU if there is one.

    Raises
    ------
    EmulatorError
        No device of that name, or none here.
    """
    try:
        chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except (RuntimeError, TypeError) as error:
        raise EmulatorError(f"device: expected cpu, cuda or cuda:NUMBER, got {device!r}") from error
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise EmulatorError(
            f"device: expected a GPU that torch sees, of which there are "
            f"{torch.cuda.device_count()}, got {str(device)!r}; pass device='cpu', or none: a GPU "
            "if there is one"
        )
    return chosen
