"""Answers in Markdown on a terminal: what was printed never moves."""
