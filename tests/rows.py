"""Values by the rows of their fields, for tests that write them by name."""

from emulator.fields import CONDITION, FIELDS, TARGETS

SPECIES = (CONDITION.name, *TARGETS)


def by_field(values):
    return {CONDITION if name == "dmo" else FIELDS[name]: value for name, value in values.items()}
