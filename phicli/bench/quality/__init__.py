"""What a quantization costs: how much worse it predicts a text than the largest file of the same model."""
