"""Saved conversations: one SQLite file under the data folder."""
