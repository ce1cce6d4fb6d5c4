"""The server that this user's other commands find: where it is, how it is asked, and how it is started."""
