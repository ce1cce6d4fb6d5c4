"""Prompts with a name: read from TOML files, checked, and filled with variables."""
