"""Files that go with a question: read as text, named, and asked about where they look secret."""
