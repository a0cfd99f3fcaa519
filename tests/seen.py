"""A model that knows the conditions of its training: six fabricated runs."""

import fabricated
from untrained import build_emulator

from emulator.model.fit_conditions import fit_conditions

WINDOW = 16


def write_runs(folder, n_runs=6):
    """Maps of runs with phases of their own, two simulations each; their paths."""
    for simulation in fabricated.simulations(n_train=n_runs, n_cv=1):
        fabricated.write_maps(folder, simulation)
    return sorted(folder.glob("SB_*.h5"))


def build_knowing(folder, **options):
    """An emulator with random weights, and what it knows of the maps of a folder."""
    return knowing(build_emulator(folder, **options), fit_conditions(training(folder), WINDOW))


def training(folder):
    return sorted(folder.glob("SB_*.h5"))


def knowing(model, conditions):
    """The same model, of a bundle with these conditions."""
    normalisation = model.card.normalisation.model_copy(update={"conditions": conditions})
    model.card = model.card.model_copy(update={"normalisation": normalisation})
    return model
