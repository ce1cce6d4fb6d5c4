"""What fits into memory: pure functions of numbers."""
