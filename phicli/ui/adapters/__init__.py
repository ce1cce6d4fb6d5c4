"""What ``phi adapters`` prints."""
