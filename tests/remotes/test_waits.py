"""Requests that wait to be sent again, and do not have to."""

from __future__ import annotations

import pytest

from phicli.answering.types import Notice
from phicli.engine.endpoint.failures import EndpointError
from phicli.engine.types import Sampling
from phicli.remotes.retrying import Retrying
from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remotes import HELLO, remote_model


@pytest.mark.parametrize("choosing", [False, True])
def test_waits_end_at_once_where_nothing_is_sent_again(choosing: bool) -> None:
    patient = Retrying(busy=3, first_s=600, longest_s=600)
    with Endpoint(lambda _: Behaviour(status=503)) as endpoint, remote_model(endpoint.url, retrying=patient) as model:
        asked = model.choosing("none") if choosing else model
        answering = asked.answer(HELLO, sampling=Sampling())
        assert "trying again in 600 s" in str(next(event for event in answering if isinstance(event, Notice)))
        model.stop_retrying()
        model.stop_retrying()
        with pytest.raises(EndpointError):
            list(answering)
        with pytest.raises(EndpointError):
            list(asked.answer(HELLO, sampling=Sampling()))
        assert len(endpoint.chats) == 2


def test_answers_that_come_are_not_disturbed() -> None:
    with Endpoint(lambda _: Behaviour(pieces=("It", " is."))) as endpoint, remote_model(endpoint.url) as model:
        model.stop_retrying()
        answering = model.answer(HELLO, sampling=Sampling())
        list(answering)
        assert answering.so_far().text == "It is."
