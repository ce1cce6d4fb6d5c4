"""A hub of one's own on 127.0.0.1 that speaks the Hugging Face protocol."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from .content import Content, Source
from .faults import Faults
from .hub_routes import HubRoutes
from .log import RequestLog
from .repos import Gated, Repo
from .storage_routes import CasRoutes, Storage
from .wire import Listener


class LoopbackHub:
    """Three servers: the hub (``endpoint``), the storage it redirects to (``cdn_url``) and Xet's (``cas_url``).

    Use it as a context manager, and give its ``endpoint`` to clients as ``HF_ENDPOINT``.

    Args:
        encrypted: what the servers encrypt with; without it they speak plain HTTP.
    """

    def __init__(self, encrypted: ssl.SSLContext | None = None) -> None:
        self.repos: dict[str, Repo] = {}
        self.faults = Faults()
        self.requests = RequestLog()
        self.errors: list[BaseException] = []
        self.token = "hf_loopback_member"
        """The token of a user who may see the private and gated repositories."""
        self.stranger_token = "hf_loopback_stranger"
        """The token of a user who may not."""
        self.page_size = 1000
        """How many entries the tree endpoint lists at a time."""
        self.small_file_redirect = False
        """Whether ``resolve`` redirects (307, relative) to a cache for files that are not in LFS, as the hub may do."""
        self._storage = Storage()
        self._hub = Listener("hub", self, HubRoutes(self), encrypted)
        self._cdn = Listener("cdn", self, self._storage.serve, encrypted)
        self._cas = Listener("cas", self, CasRoutes(self._storage, self._find_xet, lambda: self.cdn_url), encrypted)

    @property
    def endpoint(self) -> str:
        """The address of the hub."""
        return self._hub.url

    @property
    def cdn_url(self) -> str:
        """The address of the storage that downloads are redirected to."""
        return self._cdn.url

    @property
    def cas_url(self) -> str:
        """The address of the Xet server."""
        return self._cas.url

    @property
    def link_lifetime(self) -> float:
        """For how many seconds a signed address is good."""
        return self._storage.link_lifetime

    @link_lifetime.setter
    def link_lifetime(self, seconds: float) -> None:
        self._storage.link_lifetime = seconds

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that lead a client here (``HF_HUB_OFFLINE`` must not be set besides)."""
        return {"HF_ENDPOINT": self.endpoint, "NO_PROXY": "127.0.0.1"}

    def add_repo(
        self,
        name: str,
        files: Mapping[str, Source],
        *,
        license: str | None = "mit",  # noqa: A002 - the name it has on the hub
        gated: Gated = False,
        private: bool = False,
        tags: Sequence[str] = (),
        xet: bool = False,
        info: Mapping[str, Any] | None = None,
    ) -> Repo:
        """Create a model repository ``owner/name`` whose first commit has these files (bytes, or paths on disk).

        ``xet`` keeps its large files in Xet storage as well; ``info`` adds to what the model endpoint answers.
        """
        repo = Repo(
            name,
            files,
            license_name=license,
            gated=gated,
            private=private,
            tags=tags,
            xet=xet,
            info=info or {},
        )
        self.repos[name] = repo
        return repo

    def storage_url(self, content: Content) -> str:
        """Return a signed address of a file in storage."""
        return self._storage.sign(self.cdn_url, content)

    def xet_connection(self) -> dict[str, Any]:
        """Return where the Xet storage is and a token for it."""
        return {"casUrl": self.cas_url, "accessToken": self._storage.xet_token, "exp": int(time.time()) + 3600}

    def _find_xet(self, name: str) -> Content | None:
        stored = (content for repo in list(self.repos.values()) for content in repo.all_files() if content.xet)
        return next((content for content in stored if content.xet_hash == name), None)

    def close(self) -> None:
        """Stop all servers and end every connection."""
        for listener in (self._hub, self._cdn, self._cas):
            listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
