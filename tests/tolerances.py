"""Functions that refuse: whether they do, and how far from the truth they begin to."""

from emulator.io import DataError


def refused(function, *arguments, **options):
    """Whether a call raises a DataError."""
    try:
        function(*arguments, **options)
    except DataError:
        return True
    return False


def both_sides(function, edge):
    """A deviation passes just within an edge, and not just beyond, of either sign."""
    for sign in (-1, 1):
        assert not refused(function, sign * 0.98 * edge), sign * 0.98 * edge
        assert refused(function, sign * 1.03 * edge), sign * 1.03 * edge
