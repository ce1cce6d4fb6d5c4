"""Trains tiny-phi, a toy model that proves an installation works, and writes it as GGUF."""
