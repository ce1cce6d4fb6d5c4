"""The terminal of a conversation: lines in, answers out."""
