"""Benchmarks: speed claims as ratios, both sides measured in turn in one run. They need the ``dev`` extra."""
