"""Messages in, events out: prompts as tokens, answers as text, reasoning and tool calls."""
