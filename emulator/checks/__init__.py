"""Checks of a user's data before any job is queued: what is there, what is wrong, what it needs."""
