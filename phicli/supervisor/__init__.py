"""The server of this user: where it is, how other commands ask it, and how it is started in the background."""
