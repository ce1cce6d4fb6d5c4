"""``phi batch``: many prompts from a file, with one line of output for each line of input."""
