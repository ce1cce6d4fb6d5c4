"""``phi serve`` as a process: what every client finds there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.servers import ANSWER, QUESTION, Client, Serve, Server, text_of


def test_a_question_is_answered_whole(server: Server) -> None:
    reply = server.chat()
    assert reply.status == 200
    assert reply.json["choices"][0]["message"]["content"] == ANSWER


def test_a_question_is_answered_as_a_stream(server: Server) -> None:
    with server.chat_stream() as events:
        seen = list(events)
    assert seen[-1] == "[DONE]"
    assert text_of(iter(seen)) == ANSWER


def test_a_stream_is_not_held_back_on_its_way(server: Server) -> None:
    reply = server.chat(stream=True)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert "no-cache" in reply.headers["cache-control"]
    assert reply.headers["x-accel-buffering"] == "no"
    assert "server" not in reply.headers


def test_what_is_wrong_with_a_request_is_a_status_for_streams_too(server: Server) -> None:
    reply = server.chat(stream=True, model="nothing")
    assert reply.status == 404
    assert reply.error["code"] == "model_not_found"
    long = [{"role": "user", "content": "word " * 5000}]
    assert server.chat(stream=True, messages=long).error["code"] == "context_length_exceeded"


def test_several_answers_come_together(serve: Serve) -> None:
    server = serve("--parallel", "3")
    assert [choice["index"] for choice in server.chat(n=3).json["choices"]] == [0, 1, 2]
    with server.chat_stream(n=3) as events:
        assert {event["choices"][0]["index"] for event in events if event != "[DONE]"} == {0, 1, 2}
    refused = server.chat(n=4)
    assert refused.status == 400
    assert refused.error["param"] == "n"
    assert server.metric("requests_running") == server.metric("requests_queued") == 0


def test_the_server_says_that_it_is_there(server: Server) -> None:
    assert server.get("/health").json == {"status": "ok"}


def test_the_models_are_listed_and_found_by_name(server: Server) -> None:
    (only,) = server.get("/v1/models").json["data"]
    assert only["id"] == "tiny-phi"
    assert server.get("/v1/models/tiny-phi").json == only
    missing = server.get("/v1/models/tiny-fi")
    assert missing.status == 404
    assert "did you mean tiny-phi?" in missing.error["message"]
    assert server.get("/v1/models/owner/repo:Q4_K_M").status == 404


def test_a_path_is_not_a_name(server: Server, tmp_path: Path) -> None:
    import phicli

    file = Path(phicli.__file__).parent / "data" / "tiny-phi.gguf"
    assert file.exists()
    for name in (str(file), f"../{file.name}", file.name, "/etc/passwd", str(tmp_path)):
        assert server.chat(model=name).status == 404
        assert server.get(f"/v1/models/{name}").status == 404


def test_metrics_are_in_the_format_of_prometheus(server: Server) -> None:
    server.chat()
    server.get("/nothing/of/the/kind")
    text = server.get("/metrics").text
    line = re.compile(r'(# (HELP|TYPE) phi_\w+ .+|phi_\w+(\{\w+="[^"\n]*"(,\w+="[^"\n]*")*\})? -?[0-9.e+]+)')
    assert not [wrong for wrong in text.splitlines() if not line.fullmatch(wrong)]
    assert 'phi_requests_total{method="POST",route="/v1/chat/completions",status="200"} 1' in text
    assert 'phi_requests_total{method="GET",route="other",status="404"} 1' in text
    assert 'phi_tokens_total{kind="completion"} 8' in text
    assert server.metric("model_loads_total") == server.metric("models_loaded") == 1


@pytest.mark.parametrize("path", ["/phi/state", "/phi/stop", "/phi/lend"])
def test_what_only_this_user_may_do_is_not_possible_over_tcp(server: Server, path: str) -> None:
    assert server.get(path).status == server.post(path, {}).status == 404


def test_the_socket_of_this_user_needs_no_key(serve: Serve, environment: dict[str, str]) -> None:
    server = serve(PHI_SERVE_KEY="secret")
    assert server.chat().status == 401
    (socket,) = Path(environment["PHI_HOME"]).rglob("*.sock")
    assert socket.stat().st_mode & 0o777 == 0o600
    private = Client(f"unix:{socket}")
    assert private.chat(QUESTION).json["choices"][0]["message"]["content"] == ANSWER
    assert private.get("/v1/models", Host="anything.example", Origin="https://page.example").status == 200
    assert server.end() == 0
    assert not socket.exists()
