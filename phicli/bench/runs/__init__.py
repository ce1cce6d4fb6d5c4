"""Runs in files, and how two of them compare."""
