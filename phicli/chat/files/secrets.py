"""Files that look secret: keys, passwords and tokens, by their names and by what is in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_NAMES: Final = re.compile(
    r"\.env(\..+)?|\.?envrc|id_(rsa|dsa|ecdsa|ed25519)(_sk)?|.*\.(key|p12|pfx|jks|keystore|kdbx|ppk)"
    r"|[._]netrc|\.pgpass|\.my\.cnf|\.htpasswd|\.git-credentials|\.npmrc|\.pypirc|credentials(\.(json|csv|ya?ml|toml))?"
    r"|(client_)?secrets?\.(json|ya?ml|toml|ini|txt)|kubeconfig|g?shadow(-)?|passwords?\.(txt|csv)",
    re.IGNORECASE,
)
_EXAMPLES: Final = re.compile(r"\.env\.(example|sample|template|dist|defaults?)", re.IGNORECASE)
_PATHS: Final = re.compile(r"\.kube/config|\.docker/config\.json|\.config/gh/hosts\.yml|\.cache/huggingface/token")
_FOLDERS: Final = (".ssh", ".gnupg")
_PUBLIC: Final = re.compile(r".*\.pub|config|known_hosts(\.old)?|authorized_keys")
_PRIVATE_KEY: Final = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")
_TOKENS: Final = {
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})\b"),
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{30,}\b"),
    "a Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{20,}\b"),
    "an API key": re.compile(r"\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{32,}\b"),
}


def why_secret(path: Path, text: str) -> str | None:
    """Why the file at ``path`` with ``text`` looks secret, as the end of a sentence; None for one that does not."""
    name = path.name
    if _PRIVATE_KEY.search(text):
        return "it contains a private key"
    if _NAMES.fullmatch(name) and not _EXAMPLES.fullmatch(name):
        return f"files called {name} usually contain passwords or keys"
    if path.parent.name in _FOLDERS and not _PUBLIC.fullmatch(name):
        return f"it is in the folder {path.parent.name}"
    if any(path.as_posix().endswith(found[0]) for found in _PATHS.finditer(path.as_posix())):
        return "it usually contains passwords or keys"
    return f"it contains {found[0]}" if (found := secret_in(text)) else None


def secret_in(text: str) -> tuple[str, str] | None:
    """What kind of secret ``text`` contains (``a GitHub token``), and where it is written: its characters.

    None for a text without one.
    """
    if key := _PRIVATE_KEY.search(text):
        return "a private key", key[0]
    return next(((what, found[0]) for what, pattern in _TOKENS.items() if (found := pattern.search(text))), None)
