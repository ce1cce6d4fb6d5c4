"""Timing the layers of a model on this machine, and keeping what `phi recommend` predicts with."""
