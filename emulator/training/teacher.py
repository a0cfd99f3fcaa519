"""The teacher of a distillation: a trained diffusion, and whether a student can take it over."""

import os
from pathlib import Path
from typing import NamedTuple

from emulator.config import OF_TRAINING, ConfigError, ExperimentConfig, teacher_bundle
from emulator.diffusion.consistency import Ladder
from emulator.io import DataError
from emulator.model.build import build_network, build_schedule
from emulator.model.bundle import read_bundle
from emulator.model.card import ArrayGrid, Grid, ModelCard
from emulator.model.normalisation import Normalisation
from emulator.networks.backbone import Backbone

OF_TEACHER = {**OF_TRAINING, "normalisation": {"defined_share", "conditions"}}
"""Keys that a student may have otherwise."""


class Teacher(NamedTuple):
    """Card and averaged network of a diffusion."""

    card: ModelCard
    network: Backbone

    def student(self) -> Backbone:
        """Network that begins with the weights of the teacher.

        Nothing is dropped at random inside: its target is its own answer.
        """
        plain = self.card.network.model_copy(update={"dropout": 0.0})
        network = build_network(plain, self.card.diffusion, self.card.normalisation)
        network.load_state_dict(self.network.state_dict(), strict=True)
        return network

    def attributes(self) -> dict[str, str]:
        """What the card of a student says of it."""
        return {"teacher": f"{self.card.name}, weights {self.card.weights_sha256[:12]}"}

    def ladder(self, config: ExperimentConfig) -> Ladder:
        """Levels from the noise end of the teacher."""
        options = config.consistency
        schedule = build_schedule(self.card.diffusion, self.card.schedule)
        return Ladder(schedule.gamma_max, options.gamma_end, options.levels, options.teacher_steps)


def read_teacher(config: ExperimentConfig, normalisation: Normalisation, output: Path) -> Teacher:
    """Read the teacher of a config, and refuse one whose network means something else.

    Parameters
    ----------
    config, normalisation
        Of the student.
    output
        Its bundle, which must not be the teacher's.

    Raises
    ------
    ConfigError
        If there is no teacher, if it lies where the student is written, or if sections differ.
    DataError
        If its bundle is damaged, or no diffusion.
    """
    folder = teacher_bundle(config.consistency)
    if os.path.realpath(folder) == os.path.realpath(output):
        raise ConfigError(
            f"consistency.teacher {folder} is where the student is written: give the student "
            "another name (or --results)"
        )
    card, network = read_bundle(folder)
    if card.facts.objective != "diffusion":
        raise DataError(
            folder / "model.json", "a diffusion", f"a {card.facts.objective}",
            "consistency.teacher names what is distilled: a model with training.objective "
            "diffusion.",
        )  # fmt: skip
    own = {
        "network": config.model.network,
        "diffusion": config.diffusion,
        "normalisation": normalisation,
    }
    for section, mine in own.items():
        here, there = (
            value.model_dump(mode="json", exclude=OF_TEACHER[section])
            for value in (mine, getattr(card, section))
        )
        different = [key for key in here.keys() | there.keys() if here.get(key) != there.get(key)]
        if different:
            remedy = (
                "fit the student on the data, channels and split of the teacher"
                if section == "normalisation"
                else "give the student the sections `model` and `diffusion` of the teacher"
            )
            key = sorted(different)[0]
            raise ConfigError(
                f"consistency.teacher {folder}: expected the {section} of this experiment, but "
                f"{', '.join(sorted(different))} differ ({key}: {_short(there.get(key))} of the "
                f"teacher, {_short(here.get(key))} here): {remedy}"
            )
    return Teacher(card, network)


def require_grid(teacher: Teacher, grid: Grid | ArrayGrid) -> None:
    """Refuse maps of another geometry than the teacher's.

    Raises
    ------
    ConfigError
        Names what differs.
    """
    found = first_difference(grid, teacher.card.grid)
    if found is not None:
        name, here, there = found
        raise ConfigError(
            f"consistency.teacher: expected windows as here, {name} {here}, but the teacher "
            f"was trained with {there}: distil with the section `data` of the teacher"
        )


def first_difference(
    here: Grid | ArrayGrid, there: Grid | ArrayGrid
) -> tuple[str, object, object] | None:
    """Name and values of what two grids have otherwise; what either does not know is left out."""
    mine, theirs = here.model_dump(), there.model_dump()
    for name, value in mine.items():
        other = theirs.get(name)
        if value is None or other is None:  # a kernel that is not known
            continue
        numbers = isinstance(value, float | int) and isinstance(other, float | int)
        if abs(value - other) > 1e-6 if numbers else value != other:
            return name, value, other
    return None


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
