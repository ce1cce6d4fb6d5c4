"""Models on other machines: OpenAI-compatible endpoints with a name."""
