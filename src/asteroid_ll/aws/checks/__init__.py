"""Checks of an account before a run: each is a read, and its result is one line with the command that fixes it."""
