"""What ``phi rm`` and ``phi cache`` show."""
