"""Messages in, events out: prompts as tokens, answers as text, thinking and tool calls."""
