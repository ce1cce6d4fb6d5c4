"""GGUF files: reading a header fast, and writing random-weight files of a given shape."""
