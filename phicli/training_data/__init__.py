"""Training data for fine-tuning: checked line by line, split, and converted from and to the formats of others."""
