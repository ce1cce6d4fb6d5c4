"""Engines: the llama.cpp child process behind a small protocol (see :mod:`phicli.engine.types`)."""
