"""Runs that were made: their history, their files, and how two of them compare."""
