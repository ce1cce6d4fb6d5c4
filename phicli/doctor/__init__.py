"""Looks at this installation and machine, and names each problem with a command that fixes it."""
