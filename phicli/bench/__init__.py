"""Measuring this machine with the engine itself, and keeping what was found."""
