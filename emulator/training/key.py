"""The name of a training: what its resume state belongs to."""

from collections.abc import Mapping, Sequence

from emulator.config import STAGE_SECTIONS, ExperimentConfig
from emulator.metadata import fingerprint
from emulator.model.normalisation import Normalisation

UNTRAINED = ("seeds", "cache", "loader_workers", "tensorboard", "ensemble_every", "threads")
"""Keys that change no weight, but by rounding: other models, where batches are made, what is
watched, and how many threads share a sum."""


def state_key(
    config: ExperimentConfig,
    normalisation: Normalisation,
    splits: Mapping[str, Sequence[str]],
    seed: int,
    begins_with: str | None = None,
) -> str:
    """Hash of all that decides a training, and of the weights that it ``begins_with``."""
    sections = config.model_dump(mode="json", include=set(STAGE_SECTIONS["train"]))
    for name in UNTRAINED:
        del sections["training"][name]
    sections["training"].pop("initial", None)  # where its weights lay; they are in the hash
    return fingerprint(
        [
            sections,
            seed,
            normalisation.model_dump(mode="json", exclude={"conditions"}),  # changes no weight
            {name: list(splits[name]) for name in ("train", "validation")},
            *(() if begins_with is None else (begins_with,)),
        ]
    )
