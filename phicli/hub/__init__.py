"""The shared model cache: its layout, what was verified in it, and (one package each) how models come and go."""
