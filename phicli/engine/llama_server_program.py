"""A ``llama-server`` binary of llama.cpp as an engine, with the same surface as the default one."""

from __future__ import annotations

import http.client
import re
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from phicli.engine.engine_process import StartedProcess, bound
from phicli.engine.exit_codes import crashed
from phicli.engine.program_build import native_build, program_environment
from phicli.engine.reasons import advice
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import DRAFTS
from phicli.engine.types import LoadSettings
from phicli.errors import EngineError

_HOST: Final = "127.0.0.1"
_POLL_S: Final = 0.02
_TICK_S: Final = 0.1
_ANSWER_TIMEOUT_S: Final = 5.0
_MOST_PORTS: Final = 5
_PORT_TAKEN: Final = re.compile(r"could ?n[o']t bind|address already in use", re.IGNORECASE)
_BAD_TEMPLATE: Final = "chat template parsing error"


class NativeServerEngine(LlamaServerEngine):
    """A token-level engine (:class:`~phicli.engine.types.Engine`) in a process of a ``llama-server`` binary.

    Args:
        settings: the file and how to load it.
        binary: the program.
        log_dir: where its log goes.
        on_tick: called about ten times a second while a call waits for the model, with the seconds waited.

    Raises:
        NotFoundError: there is no such program.
        EngineError: it cannot be run, or is not a llama-server.
    """

    def __init__(
        self,
        settings: LoadSettings,
        binary: Path,
        *,
        log_dir: Path | None = None,
        on_tick: Callable[[float], None] | None = None,
    ) -> None:
        process = NativeProcess(binary, log_dir)
        process.load(settings)
        super().__init__(settings, process=process, on_tick=on_tick)


class NativeProcess(StartedProcess):
    """The process of a ``llama-server``, which listens on a port that was free a moment ago.

    Args:
        binary: the program.
        log_dir: where its log goes; the system's temporary folder stands in when it cannot be written.

    Raises:
        NotFoundError: there is no such program.
        EngineError: it cannot be run, or is not a llama-server.
    """

    def __init__(self, binary: Path, log_dir: Path | None = None) -> None:
        super().__init__(log_dir)
        self._binary = binary.absolute()
        self.build = native_build(self._binary)
        self._port = 0
        self._ports = 0
        self._closed = threading.Event()
        self._restarting = threading.Lock()
        self._settings: LoadSettings | None = None

    def load(self, settings: LoadSettings) -> None:
        """Start it on the file; returns at once."""
        self._settings = settings
        self._listen()

    def wait_ready(self, on_tick: Callable[[float], None] | None = None) -> str:
        """Wait for the server and return its address (``http://127.0.0.1:PORT``); several threads may wait.

        Args:
            on_tick: called about ten times a second with the seconds waited so far; what it raises ends the wait.

        Raises:
            EngineDiedError: the process ended first; quotes the engine's own reason.
            EngineError: it lets everybody in.
        """
        began = ticked = time.monotonic()
        while self._lives():
            if self._is_ready():
                self.load_ms = self.load_ms or (time.monotonic() - self._started) * 1000
                return f"http://{_HOST}:{self._port}"
            self._closed.wait(_POLL_S)
            if on_tick is not None and time.monotonic() - ticked >= _TICK_S:
                ticked = time.monotonic()
                on_tick(ticked - began)
        raise self.failure("llama-server could not load the model")

    def close(self) -> None:
        """End the process, wait for it, remove its log unless it failed; safe to call twice."""
        self._closed.set()
        super().close()

    def _lives(self) -> bool:
        """Whether the process runs; one whose port was taken by another program gets another port.

        One that cannot parse the file's own chat template starts again without.
        """
        with self._restarting:
            if self._popen.poll() is None:
                return True
            log = self._log_text()
            if self._own_template and _BAD_TEMPLATE in log:
                self.bad_template = True
            elif self._ports >= _MOST_PORTS or not _PORT_TAKEN.search(log):
                return False
            super().close()
            self._listen()
            return True

    def _listen(self) -> None:
        assert self._settings is not None  # noqa: S101 (load has set it)
        self._ports += 1
        self._port = _free_port()
        command = [str(self._binary), *server_arguments(self._settings), "--host", _HOST, "--port", str(self._port)]
        environment = program_environment(self.api_key)
        if not self._own_template:
            environment["LLAMA_ARG_CHAT_TEMPLATE"] = "chatml"
        self._start(bound(command), environment, pipes=False)

    @property
    def _own_template(self) -> bool:
        return self._settings is not None and self._settings.own_template and not self.bad_template

    def _is_ready(self) -> bool:
        """Whether a server answers there that has the model and is ours: it knows our key and wants one."""
        if _status(self._port, "/health", "") != http.client.OK:
            return False
        if _status(self._port, "/props", self.api_key) != http.client.OK:
            return False
        with_another = _status(self._port, "/props", secrets.token_urlsafe(8))
        if with_another == http.client.OK and _listens(self.pid, self._port):
            message = "llama-server answers without the key that it was started with"
            raise EngineError(message, "use a newer llama-server, or: --engine xllamacpp")
        return with_another == http.client.UNAUTHORIZED

    def _advice(self, reason: str) -> str:
        if crashed(self._popen.poll()):
            return "try another build of llama-server, or the default engine: --engine xllamacpp"
        return advice(
            reason,
            too_old="this llama-server is too old or cannot run this kind of model; try: --engine xllamacpp",
            other_build="--engine xllamacpp",
            otherwise=f"see its options: {self._binary.name} --help; or try: --engine xllamacpp",
        )

    def _ask_to_leave(self) -> None:
        self._signal(signal.SIGTERM)


def server_arguments(settings: LoadSettings) -> tuple[str, ...]:
    """The options of ``llama-server`` for ``settings``; address and key are not among them.

    Only options that change what is measured are given here, so that a build which lacks one says so. What is fixed
    besides (see :func:`program_environment`) goes by variables, which a build that does not know them ignores.
    """
    engine = settings.engine
    found = [
        *("-m", str(settings.model_path)),
        *("-c", str(settings.context_tokens * settings.slots)),
        *("-t", str(engine.threads), "-tb", str(engine.threads)),
        *("-b", str(engine.batch_tokens), "-ub", str(engine.batch_tokens)),
        *("--cache-type-k", engine.kv_type, "--cache-type-v", engine.kv_type),
        *("-fa", engine.flash_attention),
        *("--parallel", str(settings.slots)),
    ]
    if engine.gpu_layers >= 0:
        found += ["--n-gpu-layers", str(engine.gpu_layers)]
    if not engine.repack:
        found.append("--no-repack")
    if not settings.warmup:
        found.append("--no-warmup")
    if settings.slot_folder is not None:
        found += ["--slot-save-path", str(settings.slot_folder)]
    if settings.cache_ram_mib:
        found += ["--cache-ram", str(settings.cache_ram_mib)]
    if settings.model_name is not None:
        found += ["--override-kv", f"general.name=str:{settings.model_name}"]
    for adapter in settings.adapters:  # each request says its scale
        found += ["--lora", _in_a_list(str(adapter.path))]
    if drafts := DRAFTS.get(engine.speculation):
        found += ["--spec-type", engine.speculation]
        for field, tokens in drafts.items():
            found += [f"--spec-{engine.speculation}-{field.replace('_', '-')}", str(tokens)]
    return tuple(found)


def _in_a_list(path: str) -> str:
    """``path`` as the program takes it: a value with commas is a list, unless it is quoted."""
    return '"' + path.replace('"', '""') + '"' if "," in path or '"' in path else path


def _listens(pid: int, port: int) -> bool:
    """Whether it is the process that listens there, as far as the system tells, and not another program."""
    import psutil

    try:
        sockets = psutil.Process(pid).net_connections(kind="tcp4")
    except psutil.Error:
        return False
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in sockets)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _status(port: int, path: str, api_key: str) -> int:
    """The status of one GET request; 0 where nothing that speaks HTTP answers."""
    connection = http.client.HTTPConnection(_HOST, port, timeout=_ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {api_key}"} if api_key else {})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
