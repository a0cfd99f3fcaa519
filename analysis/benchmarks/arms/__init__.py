"""Arms: choices of the config at equal cost, each through the whole pipeline and its judge."""
