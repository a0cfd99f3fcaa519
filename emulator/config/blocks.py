"""Blocks: how much work one job of the workflow does, so that jobs are few and full."""

from collections.abc import Sequence

from pydantic import Field, PositiveInt

from emulator.config.section import Section


class BlocksConfig(Section):
    """Work of one job. On a cluster a job costs about ten seconds before it begins to work."""

    runs: PositiveInt = Field(1, description="runs that one job simulates, or projects")
    simulations: PositiveInt = Field(
        1, description="held-out simulations whose ensembles one job draws"
    )


def blocks_of(names: Sequence[str], size: int) -> dict[str, tuple[str, ...]]:
    """Cut names into blocks of ``size``, in order; a block is called by its first and last name."""
    blocks = [tuple(names[i : i + size]) for i in range(0, len(names), size)]
    return {b[0] if len(b) == 1 else f"{b[0]}-{b[-1]}": b for b in blocks}
