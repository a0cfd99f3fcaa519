"""What a step draws: shares of what is dropped, and streams that no two steps have in common."""

import pytest
import torch
from tiny import TINY, run

from emulator.io import EmulatorError
from emulator.training import trainer as trainer_module
from emulator.training.objectives.base import step_seed
from emulator.training.objectives.diffusion import _keep, _known
from emulator.training.optimiser import decay_factor


def test_seeds_of_steps_and_streams_differ_and_fit_into_63_bits():
    seeds = [step_seed(seed, stream, step)
             for seed in range(8) for stream in range(8) for step in range(64)]  # fmt: skip
    assert len(set(seeds)) == len(seeds)
    assert min(seeds) >= 0
    assert 2**62 < max(seeds) < 2**63


def test_the_seed_of_a_step_is_what_it_was():
    """A sum of products modulo 2**63, with constants of its own for seed, stream and step."""
    constants = 0x9E3779B97F4A7C1, 0x1B873593CC9E2D5, 0x2545F4914F6CDD1
    for words in ((0, 0, 5), (3, 1, 7), (0, 64, 10**6)):
        expected = sum(word * constant for word, constant in zip(words, constants, strict=True))
        assert step_seed(*words) == expected % 2**63


def test_what_is_dropped_is_dropped_with_its_share():
    torch.manual_seed(0)
    kept = _keep((100_000,), 0.3)
    assert set(kept.tolist()) == {0.0, 1.0}
    assert float(kept.mean()) == pytest.approx(0.7, abs=0.006)
    assert _keep((4,), 0.0) is None


def test_parameters_are_dropped_together_and_one_by_one():
    """Shares of samples that know none, one or both of two parameters."""
    torch.manual_seed(0)

    def shares(drop_all, drop_each):
        numbers = _known(100_000, 2, drop_all, drop_each).sum(1).long()
        return (torch.bincount(numbers, minlength=3) / 100_000).tolist()

    assert _known(4, 2, 0.0, 0.0) is None
    assert shares(0.3, 0.0) == pytest.approx([0.3, 0.0, 0.7], abs=0.006)
    assert shares(0.0, 0.2) == pytest.approx([0.04, 0.32, 0.64], abs=0.006)
    both = [0.3 + 0.7 * 0.04, 0.7 * 0.32, 0.7 * 0.64]
    assert shares(0.3, 0.2) == pytest.approx(both, abs=0.006)


def test_dropout_inside_the_network_is_a_function_of_step_and_share(
    maps_dir, tmp_path, monkeypatch
):
    seeds, original = [], trainer_module.DiffusionModule._loss

    def recorded(self, network, x, eps, t):
        if self.training:
            seeds.append((self.global_step, torch.initial_seed()))
        return original(self, network, x, eps, t)

    monkeypatch.setattr(trainer_module.DiffusionModule, "_loss", recorded)
    run(maps_dir, tmp_path, training={**TINY["training"], "max_steps": 2, "accumulate": 2})
    expected = [(step, step_seed(0, row, step)) for step in (0, 1) for row in (0, 2)]
    assert seeds == expected


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_loss_that_is_not_finite_is_blamed(maps_dir, tmp_path, monkeypatch, accumulate):
    """On row 3 of four, which is the last one of the last part."""
    original, parts = trainer_module.DiffusionModule._loss, []

    def broken(self, network, x, eps, t):
        values = original(self, network, x, eps, t)
        parts.append(len(values))
        last = torch.arange(len(values)) == len(values) - 1
        return torch.where(last & (sum(parts) == 4), torch.inf, values)

    monkeypatch.setattr(trainer_module.DiffusionModule, "_loss", broken)
    with pytest.raises(EmulatorError) as error:
        run(maps_dir, tmp_path, training={**TINY["training"], "accumulate": accumulate})
    cause = error.value.__cause__
    assert (cause.step, cause.rows) == (0, [3])
    assert str(cause) == "the training loss is not finite at step 0, rows [3]"


def test_rates_at_the_edges_of_a_training():
    """Past the end nothing rises again; without warm-up the first step is the peak."""
    assert decay_factor("cosine", 150, 20, 100) == pytest.approx(0.0)
    assert decay_factor("linear", 150, 20, 100) == 0.0
    assert decay_factor("constant", 70, 20, 100) == 1.0
    assert [decay_factor("inverse_sqrt", s, 0, 100) for s in (0, 1, 4)] == [1.0, 1.0, 0.5]
