"""Reads what was typed behind ``phi bench``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from phicli.bench.endpoint.benchmark import EndpointOptions
from phicli.bench.options import QUICK_PROMPT, QUICK_REPEAT, QUICK_TOKENS, BenchOptions
from phicli.commands.engine_options import engine_grid
from phicli.commands.options import was_typed
from phicli.engine.endpoint.address import is_host_and_port
from phicli.engine.settings import Whole, read_list
from phicli.errors import UsageError
from phicli.hub.typed_name import is_typed_address
from phicli.paths import is_there
from phicli.records.workload_texts import MOST_TEXT_TOKENS
from phicli.remotes.types import RemoteModelName

_MOST_TOKENS: Final = 1 << 20
_SPECULATION: Final = "speculation"
_QUICK_TEXT: Final = 48
"""Tokens of a text with ``--quick``: several drafts."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """How much is measured, as typed; lists as text."""

    prompt_tokens: str | None
    tokens: str | None
    repeat: int | None
    quick: bool

    def read(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Lengths of prompts and of answers, in tokens.

        Raises:
            UsageError: a value makes no sense, or nothing is left to measure.
        """
        prompt = numbers(self.prompt_tokens, "--prompt-tokens") or ((QUICK_PROMPT,) if self.quick else (512,))
        generated = numbers(self.tokens, "--tokens") or ((QUICK_TOKENS,) if self.quick else (128,))
        if prompt == generated == (0,):
            raise UsageError("--prompt-tokens 0 and --tokens 0 leave nothing to measure", "leave out one of them")
        return prompt, generated

    def of_texts(self) -> Lengths:
        """The same for texts: only generation is measured, unless a prompt was typed too."""
        tokens = self.tokens or (str(_QUICK_TEXT) if self.quick else None)
        return replace(self, prompt_tokens=self.prompt_tokens or "0", tokens=tokens)


def bench_options(
    lengths: Lengths, settings: Mapping[str, str], depth: str | None, *, quality: bool = True, **others: Any
) -> BenchOptions:
    """What is measured on this machine.

    Args:
        lengths: of prompts and answers.
        settings: of the engine, as typed, by field.
        depth: a list of tokens, as typed.
        quality: whether quantizations are compared; not with speculation, under which no token has a probability.
        others: fields of :class:`~phicli.bench.options.BenchOptions`, read already.

    Raises:
        UsageError: a value makes no sense.
    """
    on_texts = _SPECULATION in settings
    prompt, generated = (lengths.of_texts() if on_texts else lengths).read()
    if on_texts:
        _check_texts(generated)
    repeat = lengths.repeat or (QUICK_REPEAT if lengths.quick else 5)
    depths = numbers(depth, "--depth") or (0,)
    return BenchOptions(
        prompt, generated, depths, repeat, lengths.quick, settings=engine_grid(settings),
        quality=quality and not on_texts, **others,
    )  # fmt: skip


def refuse_beside_speculation(ctx: Any, settings: Mapping[str, str], *, quality: bool) -> None:
    """Refuse typed options that cannot be combined with speculation: probabilities and a depth.

    Raises:
        UsageError: ``--quality`` or ``--depth`` was typed together with ``--speculation``.
    """
    if _SPECULATION not in settings:
        return
    refuse(ctx, ("depth",), "cannot be used with --speculation, which uses prompts of fixed length")
    if quality and was_typed(ctx, "quality"):
        message = "--quality cannot be used with --speculation, which measures speed and not quality"
        raise UsageError(message, "leave out --quality, or measure the quality with a separate command")


def _check_texts(generated: Sequence[int]) -> None:
    if not any(generated):
        raise UsageError("--speculation requires generation, but --tokens 0 turns it off", "leave out one of them")
    if max(generated) > MOST_TEXT_TOKENS:
        message = f"--tokens {max(generated)} is too many with --speculation: the maximum is {MOST_TEXT_TOKENS}"
        raise UsageError(message, f"use --tokens {MOST_TEXT_TOKENS} or less")


def endpoint_options(
    ctx: Any, endpoint: tuple[str, str], lengths: Lengths, concurrency: str | None, requests: int | None,
    remote: RemoteModelName | None = None,
) -> EndpointOptions:  # fmt: skip
    """What is asked of an endpoint, given its address and model; ``remote`` where it is the model of one.

    Raises:
        UsageError: a value makes no sense.
    """
    requests, repeat = _how_many(ctx, requests, lengths.repeat)
    at_a_time = numbers(concurrency, "--concurrency", least=1, most=256) or (1,)
    return EndpointOptions(*endpoint, *lengths.read(), at_a_time, requests, repeat, lengths.quick, remote)


def _how_many(ctx: Any, requests: int | None, repeat: int | None) -> tuple[int | None, int | None]:
    """``--requests`` and ``--repeat``, one of them None: what was typed counts, and of two settings ``--requests``."""
    if requests is None or repeat is None:
        return requests, repeat
    if not was_typed(ctx, "repeat"):
        return requests, None
    if was_typed(ctx, "requests"):
        raise UsageError("--requests and --repeat both set the number of requests", "leave out one of them")
    return None, repeat


def endpoint_in(models: Sequence[str], url: str | None) -> tuple[str, str] | None:
    """The address of an endpoint and its model (empty for its first one); None where models of this machine are meant.

    Raises:
        UsageError: there are two addresses or several models.
    """
    endpoints = [word for word in models if "://" in word and not is_typed_address(word)]
    addresses = [*([] if url is None else [url]), *endpoints]
    if not addresses:
        _refuse_addresses(models)
        return None
    names = [word for word in models if word not in endpoints]
    if len(addresses) > 1:
        raise UsageError(
            "only one endpoint can be measured at a time", f"measure {addresses[1]} with a separate command"
        )
    if len(names) > 1:
        raise UsageError(
            "only one model of an endpoint can be measured at a time", f"measure {names[1]} with a separate command"
        )
    return addresses[0], names[0] if names else ""


def _refuse_addresses(models: Sequence[str]) -> None:
    """Refuse what can only be meant as the address of an endpoint: a host and a port, which no quantization looks like.

    Raises:
        UsageError: one of ``models`` is that.
    """
    for word in models:
        if is_host_and_port(word) and not is_there(word):
            raise UsageError(
                f"{word} is not a model", f"did you mean the endpoint http://{word}? Try: phi bench http://{word}"
            )


def refuse(context: Any, options: Iterable[str], why: str) -> None:
    """Refuse those of ``options`` (names of parameters) that were typed.

    Raises:
        UsageError: one of them was.
    """
    for parameter in context.command.params:
        if parameter.name in options and was_typed(context, parameter.name):
            option = (parameter.secondary_opts or parameter.opts)[0]
            raise UsageError(f"{option} {why}", f"leave out {option}")


def numbers(text: str | None, option: str, *, least: int = 0, most: int = _MOST_TOKENS) -> tuple[int, ...]:
    """The whole numbers in a list such as ``1,2,4``; empty for None.

    Raises:
        UsageError: one of them is not between ``least`` and ``most``.
    """
    return read_list(Whole(least, most), text, option)
