"""The interface of OpenAI: its requests read, its replies and errors written."""
