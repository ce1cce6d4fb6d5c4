"""Settings: one TOML file, the variables of the environment, and which of them holds. It knows nothing of commands."""
