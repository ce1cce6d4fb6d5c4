"""Runs the server until a signal or another command ends it."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

import phicli
from phicli.errors import UsageError
from phicli.server.http import limits
from phicli.server.http.app import AppOptions, make_app
from phicli.server.http.guard import Rules
from phicli.server.http.lending import lending_routes
from phicli.server.http.protocol import protocol_with
from phicli.server.http.supervising import supervising_routes
from phicli.server.http.traffic import Traffic
from phicli.server.models import Models
from phicli.server.residence import Residence, reside
from phicli.server.sockets import addresses_of, is_loopback, listening, url_of
from phicli.server.types import LoadOptions
from phicli.units import listed

_AFTER_GRACE_S: Final = 2
"""For replies to be written whose answers were ended."""
_LOOK_S: Final = 0.05
_OTHER_FILES: Final = 256
"""Of engines, logs and libraries."""
_ENDING: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How ``phi serve`` serves.

    Attributes:
        host: to listen on.
        port: to listen on; 0 for a free one, None for none.
        key: that requests must have; empty: any key is accepted.
        origins: of web pages that may send requests.
        hosts: names of the server, beside those of this machine.
        load: which models are served, and how they are loaded.
        preload: load those that are named before the first request.
        log: gets a line for each request; None: nobody gets them.
        log_prompts: these lines come with the prompts.
        background: this is the server of this user that ends when nobody uses it.
        command: the words of the command line behind ``phi``.
    """

    host: str = "127.0.0.1"
    port: int | None = 11500
    key: str = ""
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    load: LoadOptions = field(default_factory=LoadOptions)
    preload: bool = False
    log: Callable[[str], None] | None = None
    log_prompts: bool = False
    background: bool = False
    command: tuple[str, ...] = ()


class EndingServer(uvicorn.Server):
    """uvicorn's server, which first lets running answers end.

    ``should_exit`` ends it: answers that are being made get a few seconds. ``force_exit`` ends these, too.
    """

    def __init__(self, app: ASGIApp, traffic: Traffic, on_notice: Callable[[str], None] = lambda _: None) -> None:
        config = uvicorn.Config(
            app, loop="asyncio", http=protocol_with(traffic.limits), ws="none", lifespan="off", log_config=None,
            access_log=False, proxy_headers=False, server_header=False, timeout_graceful_shutdown=_AFTER_GRACE_S,
            timeout_keep_alive=round(traffic.limits.idle_s), h11_max_incomplete_event_size=traffic.limits.head_bytes,
        )  # fmt: skip
        super().__init__(config)
        self._traffic, self._on_notice = traffic, on_notice

    def interrupt(self) -> None:
        """End; the second time at once."""
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to :func:`run`."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, wait for answers, end those that are left, and close all connections."""
        for server in self.servers:
            server.close()
        self._traffic.closing = True
        left_s = self._traffic.limits.grace_s
        if (running := self._traffic.running) and not self.force_exit:
            answers = "an answer" if running == 1 else f"{running} answers"
            self._on_notice(f"waiting up to {left_s:g} s for {answers}; press Ctrl-C again to end now")
        while left_s > 0 and not self.force_exit and not await self._traffic.until_none(_LOOK_S):
            left_s -= _LOOK_S
        self._traffic.end()
        self.force_exit = False  # replies that say so are written
        await super().shutdown(sockets)


def serve(options: ServeOptions, on_ready: Callable[[str], None], on_notice: Callable[[str], None]) -> int:
    """Answer requests until a signal ends that; ``on_ready`` gets the address. Returns the exit code.

    Args:
        options: how it serves.
        on_ready: gets the address when requests can come.
        on_notice: gets what a person should know.

    Raises:
        TakenError: it is in the background, and another server of this user runs.
        PhiError: a model that is named does not exist, or cannot be loaded before serving.
        UsageError: the port is in use, the host is not one of this machine, or it needs a key.
    """
    _check(options)
    _end_orderly()
    with contextlib.ExitStack() as stack:
        residence = reside(
            background=options.background, command=options.command, keep_alive_s=options.load.keep_alive_s
        )
        stack.callback(residence.close)
        if residence.notice:
            on_notice(residence.notice)
        sockets: list[socket.socket] = []
        if options.port is not None:
            sockets = stack.enter_context(listening(options.host, options.port, send_bytes=limits.LIMITS.send_bytes))
        models = stack.enter_context(contextlib.closing(Models(options.load, on_bug=on_notice)))
        if options.preload:
            on_notice(f"loading {listed(options.load.models, 5)}")
            models.preload()
        traffic = Traffic(limits.LIMITS)
        about = AppOptions(_rules(options, sockets), options.log, options.log_prompts, on_notice)
        server = EndingServer(_app(models, traffic, residence, about), traffic, on_notice)
        address = url_of(options.host, sockets) if sockets else ""
        residence.open(server, address, on_notice)
        every = [*sockets, *residence.sockets]
        return run(server, every, lambda: on_ready(address or residence.address), on_notice)


def _app(models: Models, traffic: Traffic, residence: Residence, about: AppOptions) -> ASGIApp:
    """What is answered over TCP, and what over the socket of this user."""
    own = [*supervising_routes(models, residence, about.rules.key), *lending_routes(models, phicli.__version__)]
    return residence.app(make_app(models, traffic, about), make_app(models, traffic, about, private=True, routes=own))


def _check(options: ServeOptions) -> None:
    if options.preload and not options.load.models:
        raise UsageError("--preload requires a model", "name the models to load, e.g. phi serve phi-4-mini --preload")
    if options.background and options.port is not None and not options.key:
        hint = "set PHI_SERVE_KEY, or use --api-key-file; without --port only this user can reach the server"
        raise UsageError("--background with --port requires a key", hint)
    if not options.key and not is_loopback(addresses_of(options.host)):
        hint = "set PHI_SERVE_KEY, or use --api-key-file; for programs on this machine only, leave out --host"
        raise UsageError(f"--host {options.host} requires a key, since other machines can reach it", hint)
    if "*" in options.origins and not options.key:
        raise UsageError("--allow-origin '*' requires a key", "set PHI_SERVE_KEY, or name the origin of the web page")


def run(
    server: EndingServer,
    sockets: Sequence[socket.socket],
    on_ready: Callable[[], None],
    on_notice: Callable[[str], None],
) -> int:
    """Run ``server`` on ``sockets``, which listen already; returns the exit code: 130 after Ctrl-C, else 0."""
    _settle_logging(on_notice)
    _allow_files(limits.LIMITS.connections)
    with _signals(server) as received:
        on_ready()
        server.run(sockets=list(sockets))
    return 130 if received[:1] == [signal.SIGINT] else 0


def _rules(options: ServeOptions, sockets: Sequence[socket.socket]) -> Rules:
    usual = Rules()
    name = options.host.lower()
    own = [f"[{name}]" if ":" in name and not name.startswith("[") else name]
    own += [f"[{at}]" if ":" in at else at for at in (str(one.getsockname()[0]) for one in sockets)]
    every = any(at in ("0.0.0.0", "::") for at in (str(one.getsockname()[0]) for one in sockets))  # noqa: S104
    names = [socket.gethostname().lower()] if every or not is_loopback(addresses_of(options.host)) else []
    hosts = tuple(dict.fromkeys((*usual.hosts, *own, *names, *options.hosts)))
    return replace(usual, key=options.key, hosts=hosts, any_address=every, origins=options.origins)


def _end_orderly() -> None:
    """Have the signals that would kill this process end it as Ctrl-C does, until :func:`_signals` takes them over."""

    def on_signal(_: int, __: FrameType | None) -> None:
        raise SystemExit(0)

    for number in _ending_signals():
        if number != signal.SIGINT:
            signal.signal(number, on_signal)


def _ending_signals() -> Iterator[int]:
    """Those that end the server; not those that it was started to ignore, as by nohup."""
    for name in _ENDING:
        number: Any = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            yield number


@contextlib.contextmanager
def _signals(server: EndingServer) -> Iterator[list[int]]:
    """Within the context, and after it, signals end ``server`` and nothing else; gives those that came.

    They stay caught afterwards: the models are unloaded then, which nothing may interrupt.
    """
    received: list[int] = []

    def on_signal(number: int, _: FrameType | None) -> None:
        received.append(number)
        server.interrupt()

    for number in _ending_signals():
        signal.signal(number, on_signal)
    yield received


def _allow_files(connections: int) -> None:
    """Have the system allow as many open files as ``connections`` and all else need, as far as it can be asked to."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 2 * connections + _OTHER_FILES
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _settle_logging(on_notice: Callable[[str], None]) -> None:
    """Have what asyncio logs become lines for people, and nothing that uvicorn logs: it is about single clients."""

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            on_notice(f"{record.name}: {record.getMessage().partition(chr(10))[0]}")

    for name, handler in (("asyncio", Lines(logging.ERROR)), ("uvicorn.error", logging.NullHandler())):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.propagate = False
