"""Cost: what a config asks of a machine, before anything is queued.

:mod:`~emulator.cost.requests` says what each job asks for, from the config alone and without
numerics: the workflow reads it at every call. :mod:`~emulator.cost.probe` measures on this machine.
"""
