"""What ``phi engine`` shows."""
