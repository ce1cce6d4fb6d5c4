"""Piped texts: a document, a blank line, what to do with it."""

from __future__ import annotations

_DIFF = """diff --git a/hello.py b/hello.py
--- a/hello.py
+++ b/hello.py
@@ -1 +1 @@
-print("helo")
+print("hello")"""

_NOTE = """The meeting starts at ten. Ada brings the numbers, Bob brings the cake.
We decide about the new office and stop before noon."""

_LOG = """12:00:01 INFO start
12:00:02 INFO open config.toml
12:00:03 ERROR no space left on device
12:00:03 INFO stop"""

_CODE = """def area(r):
    return 3.14159 * r * r"""

_REPORT = """Report of the lighthouse keeper

Monday. The morning was calm and the sea was grey. Two fishing boats passed before breakfast and one of them came
close enough to wave. I cleaned the lamp, wound the clock and wrote the numbers into the book. At night the wind
turned to the north and the light was seen by a ship that asked for the depth of the channel.

Tuesday. Rain from early morning. The roof of the shed leaks again, at the same place as last year, and I have put a
bucket under it. No boats. In the evening I mended the net and read the old letters. The lamp burned without a fault.

Wednesday. The supply boat came at noon with oil, flour, two newspapers and a new rope. The young sailor asked how I
can live alone, and I told him that I am not alone: there are the gulls, the clock and the light. We drank tea and he
left before the tide.

Thursday. A storm, the first of the winter. The waves reached the lower window. I stayed with the lamp all night. At
three a ship fired a rocket, at four it was past the rocks, and at five I slept.

Friday. Calm again. The storm took the ladder and the bucket, but the light is whole and nobody was lost."""

DOCUMENTS: tuple[tuple[str, str, str], ...] = (
    (_DIFF, "Write a commit message", "Fix the spelling of hello in the greeting"),
    (_NOTE, "Summarize this", "Ada and Bob meet at ten to decide about the new office."),
    (_LOG, "What went wrong?", "The program stopped because no space was left on the device."),
    (_CODE, "Explain this code", "The function area returns the area of a circle with the radius r."),
    (_REPORT, "Summarize this", "A lighthouse keeper tells of his week: calm, rain, tea with a sailor, and a storm."),
)
"""Document, instruction, answer."""

INSTRUCTIONS = ("Write a commit message", "Summarize this", "What went wrong?", "Explain this code", "Translate this")
"""What people ask about a document; about one that is not listed above the answer is the fallback."""


def piped(document: str, instruction: str) -> str:
    """The user message that piped text beside a prompt makes."""
    return f"{document}\n\n{instruction}"
