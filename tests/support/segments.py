"""Segments of a prompt as text."""

from __future__ import annotations

from collections.abc import Sequence

from phicli.chat_format.types import Segment, Special


def segment_text(segments: Sequence[Segment]) -> str:
    """The prompt as a person would read it: literals, template text and text in a row."""
    return "".join(segment.literal if isinstance(segment, Special) else segment.text for segment in segments)
