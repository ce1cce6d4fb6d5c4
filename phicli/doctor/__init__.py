"""Looks at this installation and machine, and names what is wrong with the command that mends it."""
