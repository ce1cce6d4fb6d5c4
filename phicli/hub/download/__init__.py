"""Downloads: what is asked for, what the hub has, and how it gets into the cache."""
