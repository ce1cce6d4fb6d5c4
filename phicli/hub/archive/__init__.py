"""Archives that move a model to a machine without network access."""
