"""From a name on the command line to a file, its prompt format, its defaults, and how to load it."""
