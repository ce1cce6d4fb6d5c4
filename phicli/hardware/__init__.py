"""What the machine has: memory and processor cores, as this process may use them."""
