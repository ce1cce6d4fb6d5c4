"""How benchmarks are shown."""
