"""What ``phi list`` and ``phi show`` show."""
