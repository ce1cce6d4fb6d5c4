"""The endpoints of the hub proper: the JSON API and ``resolve``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import unquote, urlencode

from .content import Content, Reply, Segment, ranged_reply, text_reply
from .log import RecordedRequest
from .repos import Repo, entry_json


class Hub(Protocol):
    """What the endpoints need to know of the hub."""

    repos: dict[str, Repo]
    token: str
    stranger_token: str
    page_size: int
    small_file_redirect: bool

    @property
    def endpoint(self) -> str:
        """The address of the hub."""

    def storage_url(self, content: Content) -> str:
        """Return a signed address of a file in the storage behind the hub."""

    def xet_connection(self) -> dict[str, Any]:
        """Return where the Xet storage is and a token for it."""


class Refusal(Exception):  # noqa: N818 - it is an answer, not a failure
    """An error the hub answers with, named in the headers as the real one does."""

    def __init__(self, status: int, message: str, code: str | None = None, **headers: str) -> None:
        super().__init__(message)
        named = {} if code is None else {"X_Error_Code": code}
        body = json.dumps({"error": message})
        self.reply = text_reply(status, body, "application/json", X_Error_Message=message, **named, **headers)


def json_reply(value: object, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer with JSON."""
    body = json.dumps(value).encode()
    told = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    return Reply(200, told, [Segment(body, 0, len(body))])


class HubRoutes:
    """Answers requests to the hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def __call__(self, request: RecordedRequest) -> Reply:
        """Answer one request."""
        try:
            return self._answer(request)
        except Refusal as refusal:
            return refusal.reply

    def _answer(self, request: RecordedRequest) -> Reply:
        parts = [unquote(part) for part in request.route.strip("/").split("/")]
        token = self._token(request)
        match parts:
            case ["api", "whoami-v2"]:
                return self._whoami(token)
            case ["api", "models"]:
                return self._search(request, token)
            case ["api", "models", owner, name, *rest]:
                return self._model(request, self._repo(f"{owner}/{name}", token), rest, token)
            case ["api", "resolve-cache", "models", owner, name, revision, *path] if path:
                return self._resolve(request, f"{owner}/{name}", revision, "/".join(path), token, direct=True)
            case [owner, name, "resolve", revision, *path] if path:
                return self._resolve(request, f"{owner}/{name}", revision, "/".join(path), token)
        raise Refusal(404, "Sorry, we can't find the page you are looking for.")

    def _token(self, request: RecordedRequest) -> str | None:
        given = request.authorization
        if given is None:
            return None
        token = given.removeprefix("Bearer ")
        if token not in {self._hub.token, self._hub.stranger_token}:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return token

    def _whoami(self, token: str | None) -> Reply:
        if token is None:
            raise Refusal(401, "Invalid username or password.")
        access = {"accessToken": {"displayName": "test", "role": "read"}}
        return json_reply({"type": "user", "id": "0" * 24, "name": "tester", "orgs": [], "auth": access})

    def _search(self, request: RecordedRequest, token: str | None) -> Reply:
        asked = request.query
        wanted = asked.get("search", "").lower()
        found = [
            repo.info_json(repo.commit, blobs=False)
            for name, repo in self._hub.repos.items()
            if wanted in name.lower() and name.startswith(asked.get("author", ""))
            if not repo.private or token == self._hub.token
        ]
        return json_reply(found[: int(asked.get("limit", "1000"))])

    def _repo(self, name: str, token: str | None) -> Repo:
        repo = self._hub.repos.get(name)
        if repo is None or (repo.private and token != self._hub.token):
            if token is None:
                raise Refusal(401, "Invalid username or password.", "RepoNotFound")
            raise Refusal(404, "Repository not found", "RepoNotFound")
        return repo

    def _commit(self, repo: Repo, revision: str) -> str:
        commit = repo.find(revision)
        if commit is None:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    def _admit(self, repo: Repo, token: str | None) -> None:
        """Refuse the files of a gated repository to those who may not have them."""
        if not repo.gated or token == self._hub.token:
            return
        start = f"Access to model {repo.name} is restricted"
        if token is None:
            more = "You must have access to it and be authenticated to access it. Please log in."
            raise Refusal(401, f"{start}. {more}", "GatedRepo")
        more = f"Visit {self._hub.endpoint}/{repo.name} to ask for access."
        raise Refusal(403, f"{start} and you are not in the authorized list. {more}", "GatedRepo")

    def _model(self, request: RecordedRequest, repo: Repo, rest: list[str], token: str | None) -> Reply:
        blobs = request.query.get("blobs", "false").lower() in {"1", "true"}
        match rest:
            case []:
                return json_reply(repo.info_json(repo.commit, blobs=blobs))
            case ["revision", revision]:
                return json_reply(repo.info_json(self._commit(repo, revision), blobs=blobs))
            case ["refs"]:
                return json_reply(repo.refs_json())
            case ["tree", revision, *folder]:
                return self._tree(request, repo, self._commit(repo, revision), "/".join(folder))
            case ["xet-read-token", revision]:
                self._commit(repo, revision)
                self._admit(repo, token)
                return self._xet_token()
        raise Refusal(404, "Sorry, we can't find the page you are looking for.")

    def _tree(self, request: RecordedRequest, repo: Repo, commit: str, folder: str) -> Reply:
        asked = request.query
        recursive = asked.get("recursive", "false").lower() in {"1", "true"}
        file = repo.files(commit).get(folder)
        entries = [entry_json(file)] if file else repo.tree_json(commit, folder, recursive=recursive)
        if entries is None:
            raise Refusal(404, f"{folder} does not exist on this revision", "EntryNotFound")
        start = int(asked.get("cursor", "0"))
        size = min(self._hub.page_size, int(asked.get("limit", "1000")))
        headers = {"X-Repo-Commit": commit}
        if start + size < len(entries):
            query = urlencode(asked | {"cursor": str(start + size)})
            headers["Link"] = f'<{self._hub.endpoint}{request.route}?{query}>; rel="next"'
        return json_reply(entries[start : start + size], headers)

    def _xet_token(self) -> Reply:
        connection = self._hub.xet_connection()
        headers = {
            "X-Xet-Cas-Url": connection["casUrl"],
            "X-Xet-Access-Token": connection["accessToken"],
            "X-Xet-Token-Expiration": str(connection["exp"]),
        }
        return json_reply(connection, headers)

    def _resolve(
        self, request: RecordedRequest, name: str, revision: str, path: str, token: str | None, *, direct: bool = False
    ) -> Reply:
        repo = self._repo(name, token)
        self._admit(repo, token)
        commit = self._commit(repo, revision)
        content = repo.files(commit).get(path)
        if content is None:
            raise Refusal(404, "Entry not found", "EntryNotFound", X_Repo_Commit=commit)
        headers = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes", "ETag": f'"{content.oid}"'}
        if not content.lfs:
            if self._hub.small_file_redirect and not direct:
                location = f"/api/resolve-cache/models/{name}/{commit}/{path}?etag=%22{content.oid}%22"
                return Reply(307, {**headers, "Location": location})
            headers["Content-Type"] = content.media_type
            return ranged_reply([Segment(content.source, 0, content.size)], request.headers, headers)
        headers |= {"X-Linked-Size": str(content.told_size), "X-Linked-ETag": f'"{content.told_sha256}"'}
        if content.xet:
            headers |= self._xet_headers(name, commit, content)
        headers["Location"] = self._hub.storage_url(content)
        return Reply(302, headers)

    def _xet_headers(self, name: str, commit: str, content: Content) -> dict[str, str]:
        endpoint, cas = self._hub.endpoint, self._hub.xet_connection()["casUrl"]
        token = f'<{endpoint}/api/models/{name}/xet-read-token/{commit}>; rel="xet-auth"'
        plan = f'<{cas}/v1/reconstructions/{content.xet_hash}>; rel="xet-reconstruction-info"'
        return {"X-Xet-Hash": content.xet_hash, "Link": f"{token}, {plan}"}
