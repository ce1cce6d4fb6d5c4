"""What ``phi templates`` prints."""
