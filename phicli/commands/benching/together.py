"""Which options of ``phi bench`` go together: nothing that was typed is passed over without a word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from phicli.engine.settings import FIELDS
from phicli.errors import UsageError

_KINDS: Final = ("--url", "--tune", "--eval")
_BELONGS: Final = {
    "--concurrency": "--url",
    "--requests": "--url",
    "--reset": "--tune",
    "--limit": "--eval",
    "--restart": "--eval",
    "--seed": "--eval",
}
_OF_BASELINES: Final = ("--fail-below", "--force")
_LENGTHS: Final = ("--prompt-tokens", "--tokens", "--depth", "--repeat", "--context")
_SETTINGS: Final = tuple(field.option for field in FIELDS.values())
_ENGINES: Final = ("--engine", "--llama-server")
_TAKES: Final[Mapping[str, frozenset[str]]] = {
    "--url": frozenset({"--prompt-tokens", "--tokens", "--repeat", "--quick", "--concurrency", "--requests"}),
    "--tune": frozenset({"--quick", "--reset", *_SETTINGS, *_ENGINES}),  # it says itself why not those of engines
    "--reset": frozenset({"--tune"}),
    "--eval": frozenset({"--tokens", "--context", "--limit", "--restart", "--seed", *_SETTINGS, *_ENGINES}),
}
"""What has a meaning beside each; ``phi bench MODEL`` takes all that belongs to nothing else."""

_INSTEAD: Final = {
    "--url": "of an endpoint nothing but its answers is measured",
    "--tune": "--quick makes it shorter",
    "--reset": "it only forgets what was found",
    "--eval": "--tokens is the most that a reply may have, --limit how many questions are asked",
}


def check_together(given: Mapping[str, bool]) -> None:
    """Refuse options that have nothing to do with the kind of benchmark that is asked for.

    Args:
        given: every option that can be out of place, and whether it was typed.

    Raises:
        UsageError: one of them was; says what to leave out.
    """
    kinds = [option for option in _KINDS if given[option]]
    if len(kinds) > 1:
        raise UsageError(f"{kinds[0]} and {kinds[1]} are two benchmarks", "run one after the other")
    for option, belongs in _BELONGS.items():
        if given[option] and not given[belongs]:
            raise UsageError(f"{option} is for {belongs}, which is not there", f"add {belongs}, or leave it out")
    if given["--requests"] and given["--repeat"]:
        raise UsageError("--requests and --repeat both say how many requests there are", "leave one of them out")
    for kind in [*kinds, *(["--reset"] if given["--reset"] else [])]:
        for option, typed in given.items():
            if typed and option != kind and option not in _TAKES[kind]:
                raise _refusal(option, kind)
    for option in _OF_BASELINES:
        if given[option] and not given["--baseline"]:
            raise UsageError(f"{option} is for --baseline, which is not there", "add --baseline, or leave it out")


def _refusal(option: str, kind: str) -> UsageError:
    if kind == "--tune" and option in _LENGTHS:
        message = f"--tune has lengths and repetitions of its own, so {option} is not for it"
        return UsageError(message, f"leave {option} out")
    return UsageError(f"{option} does not go with {kind}", f"leave {option} out: {_INSTEAD[kind]}")
