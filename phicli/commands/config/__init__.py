"""The commands of ``phi config``."""
