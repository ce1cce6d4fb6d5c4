"""The shared model cache: finding what is on disk already."""
