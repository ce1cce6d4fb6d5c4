"""The HTTP side of the server: routes, limits, who may come in, streams."""
