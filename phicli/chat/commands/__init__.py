"""The commands of the REPL: one table, from which help and completion come."""
