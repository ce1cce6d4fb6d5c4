"""Conversations: one turn, many turns, the REPL."""
