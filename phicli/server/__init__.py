"""Answers over HTTP: requests in, the answers of models on this machine out."""
