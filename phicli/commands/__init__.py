"""The command line: one file a command, a signature that calls the layers below and hands the result to ``ui``."""
