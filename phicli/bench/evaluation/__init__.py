"""Questions with answers that a program can judge, asked and counted.

A file of questions has one JSON object per line. What every line has:

- ``question``: what is asked; required.
- ``compare``: how the reply is judged, one of the words below; required.
- ``id``: a name for the line, unique in the file; ``line-7`` by default.
- ``system``: a system message. ``max_tokens``: the most tokens of the reply, instead of what was asked for.
- ``example``: a reply that is right. It is judged when the file is read, and one that is wrong is an error.
- ``meta``: anything; it is not looked at.

Each question is a conversation of its own, asked as ``phi chat`` would ask it, several at a time, and answered greedily
(temperature 0). Batches of other sizes add up in another order, so with another number of slots a reply may, seldom,
differ in a word.

Reasoning (``<think>…</think>``) is not part of the reply, nor is white space around it. What else a line has depends on
``compare``:

- ``exact``: the reply is ``answer``, a text or a list of texts of which one will do. Both are compared after Unicode
  normalization (NFC), without regard to case, and with every run of white space as one space. Punctuation counts.
- ``number``: the last number in the reply is ``answer``, or is off by ``tolerance`` (default 0) at most. Numbers are
  read as English has them: ``1,234.50``, ``-3``, ``$5``, ``.5``, ``2e3``; ``%`` and currencies are left out.
- ``regex``: the pattern ``answer`` (Python's) is found somewhere in the reply. It is at most 1,000 characters long and
  looks at the first 20,000 characters of the reply in a separate process, which is ended after 2 seconds; then the
  reply counts as wrong. What the pattern takes to compile, and memory, are not limited.
- ``choice``: ``choices`` is a list of 2 to 26 texts and ``answer`` the letter or the text of one of them. The choices
  are shown below the question as ``A. …``, with a line that asks for a letter. The reply is the letter or the text
  alone, or begins with ``B.``, ``B)`` or ``(B)``, or says ``answer is B`` (the last such place counts), or has the
  text of exactly one choice in it.
- ``json``: the reply is JSON, or has one ```` ``` ```` block which is. It equals ``answer`` (1 equals 1.0, true does
  not equal 1), or with ``"match": "subset"`` has at least the keys of ``answer`` with their values, in objects at any
  depth. Or, instead of ``answer``, ``keys`` is an object of names and types (``string``, ``number``, ``integer``,
  ``boolean``, ``null``, ``array``, ``object``, ``any``): the reply is an object with just these keys, of these types.
- ``checks``: every one of the ``checks`` holds; see :mod:`phicli.bench.evaluation.checks`.

Or the file is training data: one conversation per line, with ``messages``, as ``phi data check`` accepts it. Then each
answer of the assistant is a question, called ``line-7``, or ``line-7.2`` for the second answer of several, unless its
``weight`` is 0. The conversation before it is asked as it stands in the file. The reply is right if it is the same text
as ``exact`` compares it, without reasoning, with the same tool calls; and two more numbers are measured:

- F1: the words that the reply and the expected answer have in common (:mod:`phicli.bench.evaluation.overlap`).
- Perplexity: how probable the model finds the expected answer, token by token, in the prompt format in which it is
  asked, reasoning and the token that ends the answer included. These are the tokens that ``phi finetune`` trains on.
  It is measured after the questions were asked.
"""
