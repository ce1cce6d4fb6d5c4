"""The commands of ``phi runs``."""
