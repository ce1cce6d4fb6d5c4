"""The server with the client libraries that people use.

These tests install packages of others from the package registries, so they run where ``PHI_TEST_CLIENTS`` is set.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.clients.clients import CLIENTS, Client, what_came
from tests.clients.matrix import DOCUMENT, row, served, table

pytestmark = [
    pytest.mark.clients,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not os.environ.get("PHI_TEST_CLIENTS"), reason="PHI_TEST_CLIENTS is not set"),
]


@pytest.fixture(scope="module")
def address(starts_process: None) -> Iterator[str]:
    with served() as found:
        yield found


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.program)
def test_every_feature_works(client: Client, address: str) -> None:
    if client.of_node and shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    assert what_came(client, address) == dict(client.features)


def test_the_document_has_the_table() -> None:
    assert table([row(client, client.features) for client in CLIENTS]) in DOCUMENT.read_text(encoding="utf-8")
