"""The command line with steps that take their time, so that a signal can meet one of them."""

import time

from emulator.cli import main
from emulator.training import trainer


def slow(original):
    def step(self, batch, batch_idx):
        print(f"step {self.global_step}", flush=True)
        time.sleep(0.2)
        return original(self, batch, batch_idx)

    return step


trainer.EmulatorModule.training_step = slow(trainer.EmulatorModule.training_step)
main()
