"""Archives that carry a model to a machine without a network."""
