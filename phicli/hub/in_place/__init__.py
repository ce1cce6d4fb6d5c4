"""Models that are used in place, including those of other programs."""
