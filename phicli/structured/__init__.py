"""Answers of a promised form: what the engine is asked to hold, and what is checked when the answer is there."""
