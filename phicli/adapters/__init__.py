"""Adapters (LoRA): read, converted, given names, merged into models."""
