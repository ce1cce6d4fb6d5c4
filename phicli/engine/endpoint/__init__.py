"""OpenAI-compatible endpoints: where they are, what is asked of them, what they stream, what goes wrong."""
