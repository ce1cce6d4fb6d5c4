"""Keys: from where they were named, to this address alone, never in words."""

from __future__ import annotations

import json
import sys
from html import escape
from types import ModuleType
from urllib.parse import quote

import pytest

from phicli.engine.endpoint.address import address_with_key
from phicli.engine.endpoint.client import EndpointClient
from phicli.engine.endpoint.failures import EndpointError
from phicli.errors import UsageError
from phicli.remotes.keys import address_of, has_key, place_of
from phicli.remotes.types import Remote
from tests.support.endpoint import Behaviour, Endpoint

KEY = "sk-very-secret-123"


def test_the_key_is_that_of_the_variable_and_of_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", f" {KEY}\n")
    monkeypatch.setenv("PHI_API_KEY", "another")
    monkeypatch.setenv("OPENAI_API_KEY", "a third one")
    address = address_of(Remote("lab", "https://lab.example/v1", "vllm", "LAB_KEY"))
    assert address.authorization == f"Bearer {KEY}"
    assert KEY not in repr(address)
    assert address_of(Remote("open", "https://api.openai.com/v1", "openai")).authorization is None


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is not None:
        monkeypatch.setenv("LAB_KEY", value)
    with pytest.raises(UsageError) as caught:
        address_of(Remote("lab", "https://lab.example/v1", "vllm", "LAB_KEY"))
    assert caught.value.message == "LAB_KEY is not set, and lab takes its key from it"
    assert "export LAB_KEY=…" in caught.value.hint


def test_a_key_that_cannot_be_sent_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", "schlüssel")
    with pytest.raises(UsageError) as caught:
        address_of(Remote("lab", "https://lab.example/v1", "vllm", "LAB_KEY"))
    assert caught.value.message == "the key in LAB_KEY has characters that cannot be sent"
    assert "schl" not in caught.value.message + caught.value.hint


def test_where_keys_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", KEY)
    assert place_of(Remote("lab", "http://x/v1", "vllm", "LAB_KEY")) == "LAB_KEY"
    assert has_key(Remote("lab", "http://x/v1", "vllm", "LAB_KEY"))
    assert not has_key(Remote("lab", "http://x/v1", "vllm", "OTHER_KEY"))
    assert place_of(Remote("lab", "http://x/v1", "vllm", keyring=True)) == "keyring (phi, lab)"
    assert place_of(Remote("lab", "http://x/v1", "vllm")) == ""


@pytest.mark.parametrize(
    ("url", "exposed"),
    [
        ("http://lab.example/v1", True),
        ("https://lab.example/v1", False),
        ("http://127.0.0.1:8000/v1", False),
        ("http://[::1]/v1", False),
        ("http://10.0.0.7:8000/v1", True),
    ],
)
def test_a_key_that_can_be_read_on_the_way(url: str, exposed: bool) -> None:
    assert (address_with_key(url, KEY).exposed_key is not None) is exposed
    assert address_with_key(url).exposed_key is None


def refused(remote: Remote) -> EndpointError:
    """How ``remote`` refuses to list its models."""
    with EndpointClient(address_of(remote)) as client, pytest.raises(EndpointError) as caught:
        client.models(silence_s=5)
    return caught.value


def test_an_endpoint_that_requires_a_key_gets_a_hint_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with Endpoint() as endpoint:
        endpoint.key = KEY
        caught = refused(Remote("lab", endpoint.url, "vllm"))
        assert caught.kind == "key"
        assert f"phi remotes add lab {endpoint.url} --key-env VARIABLE" in caught.hint
        assert "PHI_API_KEY" not in caught.hint
        monkeypatch.setenv("LAB_KEY", "sk-wrong-key-456")
        caught = refused(Remote("lab", endpoint.url, "vllm", "LAB_KEY"))
        assert caught.hint == "check LAB_KEY: the endpoint did not accept the credentials"
        assert "sk-wrong" not in caught.message


def test_a_key_is_not_sent_where_a_redirect_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", KEY)
    with Endpoint() as other, Endpoint() as endpoint:
        endpoint.listing = Behaviour(status=307, headers={"Location": f"{other.url}/models"})
        caught = refused(Remote("lab", endpoint.url, "vllm", "LAB_KEY"))
        assert caught.kind == "redirect"
        assert other.asked == []


@pytest.mark.parametrize("key", [KEY, 'sk-"quoted"/and\\more+=&<>'])
def test_a_key_is_masked_however_a_server_writes_it(key: str) -> None:
    address = address_with_key("https://lab.example/v1", key)
    inside = json.dumps(key)[1:-1]
    for written in (key, inside, inside.replace("/", r"\/"), quote(key), quote(key, safe=""), escape(key)):
        assert address.scrubbed(f"no such key: {written}!") == "no such key: ***!"


@pytest.mark.parametrize(("key", "listed"), [(KEY, ("phi-4",)), ("phi", ("phi-4", f"phi-4-of-{KEY}"))])
def test_a_model_whose_name_has_the_key_is_not_listed(
    monkeypatch: pytest.MonkeyPatch, key: str, listed: tuple[str, ...]
) -> None:
    monkeypatch.setenv("LAB_KEY", key)
    with Endpoint() as endpoint:
        endpoint.models = {"data": [{"id": "phi-4"}, {"id": f"phi-4-of-{KEY}"}]}
        with EndpointClient(address_of(Remote("lab", endpoint.url, "vllm", "LAB_KEY"))) as client:
            assert client.models(silence_s=5) == listed


class Keyring(ModuleType):
    """Stands for the package: keys by service and user, or an error."""

    def __init__(self, keys: dict[tuple[str, str], str], fault: str = "") -> None:
        super().__init__("keyring")
        self.keys, self.fault = keys, fault
        self.errors = ModuleType("keyring.errors")
        self.errors.KeyringError = type("KeyringError", (RuntimeError,), {})  # type: ignore[attr-defined]

    def get_password(self, service: str, user: str) -> str | None:
        if self.fault:
            raise self.errors.KeyringError(self.fault)
        return self.keys.get((service, user))


def with_keyring(monkeypatch: pytest.MonkeyPatch, package: Keyring) -> None:
    monkeypatch.setitem(sys.modules, "keyring", package)
    monkeypatch.setitem(sys.modules, "keyring.errors", package.errors)


def test_the_key_of_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    with_keyring(monkeypatch, Keyring({("phi", "lab"): KEY, ("phi", "box"): "other"}))
    assert address_of(Remote("lab", "https://x/v1", "vllm", keyring=True)).authorization == f"Bearer {KEY}"


def test_a_keyring_without_the_key_or_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    remote = Remote("lab", "https://x/v1", "vllm", keyring=True)
    with_keyring(monkeypatch, Keyring({}))
    with pytest.raises(UsageError) as caught:
        address_of(remote)
    assert (caught.value.message, caught.value.hint) == (
        "the keyring has no key for lab", "save it: keyring set phi lab",
    )  # fmt: skip
    with_keyring(monkeypatch, Keyring({}, "it is\nlocked"))
    with pytest.raises(UsageError, match="the keyring of this system cannot be read: it is locked"):
        address_of(remote)


def test_a_keyring_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(UsageError) as caught:
        address_of(Remote("lab", "https://x/v1", "vllm", keyring=True))
    assert "requires the Python package keyring" in caught.value.message
    assert '".[keyring]"' in caught.value.hint
