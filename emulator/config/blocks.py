"""Blocks: how much work one job of the workflow does, so that jobs are few and full."""

from collections.abc import Sequence

from pydantic import Field, PositiveInt

from emulator.config.section import ConfigError, Section


class BlocksConfig(Section):
    """Work of one job. On a cluster a job costs about ten seconds before it begins to work."""

    runs: PositiveInt = Field(1, description="runs that one job simulates, or projects")
    simulations: PositiveInt = Field(
        1, description="held-out simulations whose ensembles one job draws"
    )


def blocks_of(names: Sequence[str], size: int) -> dict[str, tuple[str, ...]]:
    """Cut names into blocks of ``size``, in order, by the name of each."""
    blocks = [tuple(names[i : i + size]) for i in range(0, len(names), size)]
    named = {block_name(block): block for block in blocks}
    if len(named) < len(blocks):
        raise ConfigError("names of simulations with hyphens give two blocks one name: rename them")
    return named


def block_name(names: Sequence[str]) -> str:
    """Name of a block: its only name, or its first and last."""
    return names[0] if len(names) == 1 else f"{names[0]}-{names[-1]}"
