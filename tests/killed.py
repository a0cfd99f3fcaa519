"""A training that is killed in the middle of a step."""

from contextlib import contextmanager

from emulator.training.trainer import EmulatorModule


@contextmanager
def killed_at(monkeypatch, step, error):
    """While inside, step number ``step`` of every training raises ``error`` in place of running."""
    original = EmulatorModule.training_step

    def dying(self, batch, batch_idx):
        if self.global_step == step:
            raise error
        return original(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(EmulatorModule, "training_step", dying)
        yield
