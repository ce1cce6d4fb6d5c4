"""What ``phi sessions`` prints."""
