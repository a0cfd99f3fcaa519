"""How many rows a network is given at once: a number, or as many as fit.

A member is the same in any batch, so the size is found while members are drawn. On a CPU, which
ends a process that asks for too much, the first row is evaluated alone and its activations are
counted: as many rows are taken as half of the free memory holds. Elsewhere the largest size is
tried, and halved whenever the device has no memory left. What was found is kept.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from emulator.io import EmulatorError

MOST = 128
"""Rows that ``auto`` takes at most; more are not faster."""

SHARE = 0.5
"""Of the free memory, that activations may take."""

_UNKNOWN_MEMORY = 2 * 1024**3
_MEMINFO = Path("/proc/meminfo")
_GROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batches:
    """Sizes of batches for one network.

    Parameters
    ----------
    asked
        ``sampling.batch_size``.
    network
        Whose activations fill the memory.
    free
        Bytes that are free on a CPU; default: what the system says.
    """

    def __init__(
        self,
        asked: int | Literal["auto"],
        network: nn.Module | None = None,
        *,
        free: Callable[[], int] | None = None,
    ) -> None:
        self.network, self.free = network, free or free_memory
        self.auto = asked == "auto"
        self.size = MOST if asked == "auto" else asked
        self.refused = 0
        self.unmeasured = self.auto and network is not None and _on_cpu(network)

    def over(
        self, items: Sequence[Item], work: Callable[[Sequence[Item]], Result]
    ) -> Iterator[tuple[Sequence[Item], Result]]:
        """Parts of ``items`` in order, and what ``work`` makes of each.

        Raises
        ------
        EmulatorError
            If the device has no memory left for batches of a given size, or for one row.
        """
        first = 0
        while first < len(items):
            part = items[first : first + (1 if self.unmeasured else self.size)]
            try:
                result = self._measured(part, work) if self.unmeasured else work(part)
            except torch.cuda.OutOfMemoryError as error:
                self._halve(len(part), error)
                continue
            self._say()
            yield part, result
            first += len(part)

    def _measured(self, part: Sequence[Item], work: Callable[[Sequence[Item]], Result]) -> Result:
        with _Counter(self.network) as counter:
            result = work(part)
        self.unmeasured = False
        self.size = max(1, min(MOST, int(SHARE * self.free() / max(counter.bytes, 1))))
        return result

    def _halve(self, tried: int, error: Exception) -> None:
        if not self.auto or tried == 1:
            remedy = "use a device with more" if tried == 1 else "set it to auto, or lower it"
            raise EmulatorError(
                f"sampling.batch_size: the device has no memory left for batches of {tried} "
                f"({error}): {remedy}"
            ) from error
        self.size, self.refused = tried // 2, self.refused or tried
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _say(self) -> None:
        """Once, when a smaller batch has fitted."""
        if self.refused:
            said = f"batches of {self.refused} do not fit into memory, so they hold {self.size}"
            print(f"sample: {said}", file=sys.stderr, flush=True)
        self.refused = 0


class _Counter:
    """Counts the bytes that the modules of a network return in one evaluation."""

    def __init__(self, network: nn.Module | None) -> None:
        modules = [] if network is None else list(network.modules())
        self.leaves = [module for module in modules if not list(module.children())]
        self.bytes, self._counted = 0, set[nn.Module]()

    def __enter__(self) -> "_Counter":
        self.hooks = [leaf.register_forward_hook(self._count) for leaf in self.leaves]
        return self

    def __exit__(self, *error: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def _count(self, module: nn.Module, given: Any, out: Any) -> None:
        # of a solver the first evaluation alone counts: the others fill the same memory
        if module not in self._counted and isinstance(out, Tensor):
            self._counted.add(module)
            self.bytes += out.numel() * out.element_size()


def _on_cpu(network: nn.Module) -> bool:
    return all(parameter.device.type == "cpu" for parameter in network.parameters())


def free_memory() -> int:
    """Bytes that this process may still take: of the machine, or of its group if that is less."""
    found = [_available(), *(_left(most, used) for most, used in _GROUPS)]
    known = [value for value in found if value is not None]
    return min(known) if known else _UNKNOWN_MEMORY


def _available() -> int | None:
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(x.split()[1]) for x in lines if x.startswith("MemAvailable:")), None)


def _left(most: Path, used: Path) -> int | None:
    """Of a control group; None where there is none, or no limit."""
    try:
        return max(0, int(most.read_text()) - int(used.read_text()))
    except (OSError, ValueError):
        return None
