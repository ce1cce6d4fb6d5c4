"""``phi serve`` as a process: what every client finds there."""

from __future__ import annotations

from tests.support.servers import ANSWER, Server, text_of


def test_a_question_is_answered_whole(server: Server) -> None:
    reply = server.chat()
    assert reply.status == 200
    assert reply.json["choices"][0]["message"]["content"] == ANSWER


def test_a_question_is_answered_as_a_stream(server: Server) -> None:
    with server.chat_stream() as events:
        seen = list(events)
    assert seen[-1] == "[DONE]"
    assert text_of(iter(seen)) == ANSWER


def test_the_server_says_that_it_is_there(server: Server) -> None:
    assert server.get("/health").json == {"status": "ok"}
