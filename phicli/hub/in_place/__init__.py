"""Models that are used where they lie, those of other programs among them."""
