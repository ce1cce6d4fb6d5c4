"""Builds native kernels: a CPU module of the installed engine's own sources, compiled for this processor."""
