"""Benchmarks of OpenAI-compatible endpoints: a closed loop of requests, some at a time, timed from outside."""
