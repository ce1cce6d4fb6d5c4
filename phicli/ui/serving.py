"""What ``phi ps``, ``phi stop`` and ``phi serve --background`` print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from phicli.ui.terminal import Terminal
from phicli.units import format_bytes, format_tokens

if TYPE_CHECKING:
    from phicli.supervisor.background import Started
    from phicli.supervisor.stopping import Stopped

NOT_RUNNING: Final = "phi serve is not running; to start it: phi serve --background"
_HEADS: Final = ("model", "adapters", "memory", "context", "slots", "running", "idle since", "until")
_RIGHT: Final = frozenset({"memory", "context", "slots", "running"})
_UNITS: Final = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def print_ps(terminal: Terminal, state: Mapping[str, Any] | None, *, as_json: bool) -> None:
    """The models that the server keeps loaded; ``state`` is what it says of itself, None where none runs.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    models = [row for row in (state or {}).get("models") or () if isinstance(row, Mapping)]
    if as_json:
        from phicli.ui.envelope import print_result

        server = None if state is None else {name: value for name, value in state.items() if name != "models"}
        return print_result(terminal, "ps", {"running": state is not None, "server": server, "models": models})
    if state is None:
        return terminal.say(NOT_RUNNING)
    if models:
        _print_table(terminal, models)
    return terminal.say(_about(state, loaded=bool(models)))


def print_started(terminal: Terminal, started: Started, *, as_json: bool, quiet: bool = False) -> None:
    """Where the server in the background is found, on the first line; the rest is not printed when ``quiet``.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    state = started.state
    address = state.address or _own_address(state.socket, state.loopback)
    if as_json:
        from phicli.ui.envelope import print_result

        facts = {"address": address, "socket": state.socket, "pid": state.pid, "version": state.version}
        log = str(started.log) if started.log else None
        other = bool(started.differs or started.other_key)
        return print_result(
            terminal, "serve", {**facts, "log": log, "already_running": started.already, "other_options": other}
        )
    terminal.write_line(address)
    if quiet:
        return None
    if started.differs or started.other_key:
        key = ["with another key"] if started.other_key else []
        options = [f"with other options: {started.differs}"] if started.differs else []
        terminal.say(", ".join(["already running", *key, *options]))
        return terminal.say("  to change them: phi stop --all, then run the command again")
    if started.already:
        return terminal.say("already running")
    return terminal.say(f"running in the background; log: {started.log or 'none'}; to end it: phi stop --all")


def print_stopped(terminal: Terminal, stopped: Stopped, *, as_json: bool) -> None:
    """Which models were unloaded, and whether the server ended.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    if as_json:
        from phicli.ui.envelope import print_result

        return print_result(terminal, "stop", {"stopped": list(stopped.models), "ended": stopped.ended})
    for model in stopped.models:
        terminal.say(f"unloaded {model}")
    if stopped.ended:
        return terminal.say("phi serve has ended")
    if not stopped.models:
        terminal.say("no model is loaded")
    return terminal.say("phi serve still runs; to end it: phi stop --all")


def print_unit(terminal: Terminal, unit: str, *, as_json: bool) -> None:
    """A unit of systemd, and how it is installed.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    if as_json:
        from phicli.ui.envelope import print_result

        return print_result(terminal, "serve", {"unit": unit})
    terminal.write(unit)
    terminal.say("save it as ~/.config/systemd/user/phi.service, then run: systemctl --user enable --now phi")
    return terminal.say("to start it without a login: loginctl enable-linger")


def _print_table(terminal: Terminal, models: Sequence[Mapping[str, Any]]) -> None:
    from phicli.ui.tables import Column, print_rows

    exact = not terminal.stdout.isatty()  # a script gets the times as they are
    rows = [_row(row, exact=exact) for row in models]
    heads = [head for head in _HEADS if head != "adapters" or any(row[head] for row in rows)]
    columns = [Column(head, right=head in _RIGHT) for head in heads]
    narrow = [column for column in columns if column.title not in {"slots", "idle since"}]
    narrowest = [column for column in columns if column.title in {"model", "memory", "until"}]
    print_rows(terminal, (columns, narrow, narrowest), rows)


def _row(row: Mapping[str, Any], *, exact: bool) -> dict[str, str]:
    now = datetime.now(UTC)
    memory, context, slots = (row.get(name) for name in ("memory_bytes", "context_tokens", "slots"))
    idle, until = row.get("idle_since"), row.get("until")
    return {
        "model": str(row.get("model", "-")),
        "adapters": ", ".join(_adapters(row.get("adapters"))),
        "memory": format_bytes(memory) if memory else "-",
        "context": format_tokens(context) if context else "-",
        "slots": str(slots or "-"),
        "running": str(row.get("running") or 0),
        "idle since": "-" if not idle else str(idle) if exact else f"{_distance(idle, now)} ago",
        "until": _until(row) if not until else str(until) if exact else _ahead(until, now),
    }


def _adapters(rows: object) -> Iterator[str]:
    """The names of the adapters, with scales other than 1 behind them."""
    for one in rows if isinstance(rows, list) else ():
        if isinstance(one, Mapping):
            scale = one.get("scale", 1)
            yield str(one.get("name", "-")) + ("" if scale == 1 else f":{str(scale).removesuffix('.0')}")


def _until(row: Mapping[str, Any]) -> str:
    """Why there is no time at which the model is unloaded."""
    phase = str(row.get("phase"))
    return phase if phase != "ready" else "in use" if row.get("used") else "forever"


def _about(state: Mapping[str, Any], *, loaded: bool) -> str:
    """The server in a sentence."""
    addresses = [str(state["address"])] if state.get("address") else []
    where = " and ".join([*addresses, _own_address(str(state.get("socket") or ""), "")]) or "this machine"
    text = f"phi serve {state.get('version', '')} listens on {where}"
    if not loaded:
        text += "; no model is loaded"
    if ends_at := state.get("ends_at"):
        text += f"; without use it ends {_ahead(ends_at, datetime.now(UTC))}"
    return text


def _own_address(socket: str, loopback: str) -> str:
    return f"unix:{socket}" if socket else f"http://{loopback}" if loopback else ""


def _ahead(time: object, now: datetime) -> str:
    distance = _distance(time, now)
    return distance if distance == str(time) else f"in {distance}"


def _distance(time: object, now: datetime) -> str:
    """How far away a time in ISO 8601 is: ``3 minutes``; what is not a time stays as it is."""
    try:
        seconds = abs((now - datetime.fromisoformat(str(time))).total_seconds())
    except (ValueError, OverflowError, TypeError):
        return str(time)
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= 2 * size), _UNITS[-1])
    count = round(seconds / size)
    return f"{count:,} {unit}{'' if count == 1 else 's'}"
