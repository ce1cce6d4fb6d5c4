"""The steps of ``phi bench``, one module a kind of benchmark."""
