"""What is on disk: listing, verifying and removing it."""
