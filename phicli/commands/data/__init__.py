"""The commands of ``phi data``."""
