"""Answers that must have a form: attempts, seeds, what is shown and when, and the errors."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from phicli.answering.formed import RETRY_TEMPERATURE, FormedModel, FormError
from phicli.answering.types import NO_ENDING, Answer, Ending, Notice
from phicli.chat_format.types import Message, Piece
from phicli.engine.constraint import Constraint, ConstraintError
from phicli.engine.types import Sampling
from phicli.structured.form import Checked, Form, SchemaForm
from phicli.structured.grammars import choice_form, regex_form
from tests.fakes.scripted_model import Lab

CITY = SchemaForm({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
QUESTION = (Message("user", "Which city?"),)


def lab(texts: Iterable[str], **more: Any) -> Lab:
    """A model that gives one text after the other, and then the last one again."""
    first, *others = texts
    turn = itertools.chain([first, *others], itertools.repeat((first, *others)[-1]))
    return Lab(lambda _: next(turn) + "<|end|>", **more)


def events_of(
    one: Lab, form: Form = CITY, *, retries: int = 2, sampling: Sampling | None = None, ending: Ending = NO_ENDING
) -> list[Any]:
    model = FormedModel(one.model, form, retries)
    return list(model.answer(QUESTION, sampling=sampling or Sampling(seed=7), ending=ending))


def notices(events: list[Any]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def test_an_answer_that_matches_is_shown_once_and_has_its_value() -> None:
    *_, shown, answer = events_of(lab(['{"city":"Rome"}']))
    assert shown == Piece("text", '{"city":"Rome"}')
    assert isinstance(answer, Answer)
    assert (answer.parsed, answer.attempts, answer.text) == ({"city": "Rome"}, 1, '{"city":"Rome"}')
    assert answer.finish_reason == "stop"


def test_nothing_of_an_answer_is_shown_before_it_was_checked() -> None:
    events = events_of(lab(['{"town":"Rome"}', '{"city":"Rome"}']))
    assert [event.text for event in events if isinstance(event, Piece)] == ['{"city":"Rome"}']
    assert notices(events) == ["attempt 1 does not match the schema: /: 'city' is a required property"]
    assert events[-1].attempts == 2


def test_each_attempt_has_another_seed_and_a_temperature() -> None:
    one = lab(["x", "x", '{"city":"Rome"}'])
    events_of(one)
    seeds = [(sampling.seed, sampling.temperature) for sampling in one.engines[0].samplings]
    assert seeds == [(7, 0.0), (8, RETRY_TEMPERATURE), (9, RETRY_TEMPERATURE)]
    warm = lab(["x", '{"city":"Rome"}'])
    events_of(warm, sampling=Sampling(seed=2**32 - 2, temperature=0.3))
    assert [(one.seed, one.temperature) for one in warm.engines[0].samplings] == [(2**32 - 2, 0.3), (0, 0.3)]


def test_after_the_last_attempt_the_errors_and_the_text_are_known() -> None:
    with pytest.raises(FormError) as caught:
        events_of(lab(["{}", '{"city": 3}']), retries=1)
    error = caught.value
    assert error.exit_code == 9
    assert error.message == "the answer does not match the schema after 2 attempts: /city: 3 is not of type 'string'"
    assert error.hint == "say in the prompt what you need, or allow more attempts: --retries 4"
    assert error.data == {
        "errors": ["/city: 3 is not of type 'string'"],
        "text": '{"city": 3}',
        "finish_reason": "stop",
        "attempts": 2,
    }


def test_without_retries_there_is_one_attempt() -> None:
    one = lab(["{}"])
    with pytest.raises(FormError, match=r"^the answer does not match the schema: /: 'city'"):
        events_of(one, retries=0)
    assert len(one.engines[0].prompts) == 1


def test_an_answer_that_is_cut_off_is_not_tried_again() -> None:
    one = lab(['{"city":"Rome"}'])
    with pytest.raises(FormError) as caught:
        events_of(one, sampling=Sampling(max_tokens=8))
    assert caught.value.message == "the answer was cut off after 8 tokens, before it matched the schema"
    assert caught.value.hint == "allow more tokens: --max-tokens 16"
    assert caught.value.data is not None
    assert (caught.value.data["finish_reason"], caught.value.data["text"]) == ("length", '{"city":')
    assert len(one.engines[0].prompts) == 1


def test_where_the_context_is_full_the_next_step_is_a_larger_one() -> None:
    with pytest.raises(FormError) as caught:
        events_of(lab(['{"city":"Rome"}'], first=24, limit=24))
    assert caught.value.hint == "use a larger context: --context SIZE"


LIST = SchemaForm({"type": "array", "items": {"type": "integer"}})
LIMITED = SchemaForm({"type": "array", "items": {"type": "integer"}, "maxItems": 300})
BRAKE = Ending(brake=True)
RUNAWAY = "[" + "0," * 500
ZEROS = json.dumps([0] * 150, separators=(",", ":"))


def test_an_attempt_that_repeats_itself_is_ended_and_another_one_is_made() -> None:
    one = lab([RUNAWAY, "[1,2]"])
    events = events_of(one, LIST, ending=BRAKE)
    assert notices(events) == [
        "attempt 1 does not match the schema: it was ended after 224 tokens, because it repeated itself"
    ]
    assert (events[-1].parsed, events[-1].attempts, events[-1].stopped_by) == ([1, 2], 2, None)


def test_what_always_repeats_itself_is_an_error_that_names_the_limit() -> None:
    with pytest.raises(FormError) as caught:
        events_of(lab([RUNAWAY]), LIST, ending=BRAKE, retries=1)
    assert caught.value.message.startswith("the answer does not match the schema after 2 attempts: it was ended")
    assert caught.value.hint == "use a --schema with maxItems and maxLength, or change --temperature"
    assert (caught.value.answer.stopped_by, caught.value.answer.usage.completion_tokens) == ("repetition", 224)
    with pytest.raises(FormError) as caught:
        events_of(lab(["0" * 500]), regex_form("[0-9]+"), ending=BRAKE, retries=0)
    assert "because it repeated itself" in caught.value.message
    assert caught.value.hint.startswith("limit the repetitions, e.g. [0-9]{1,20}")


@pytest.mark.parametrize("form", [LIMITED, regex_form(r"\[(0,?){1,500}\]")], ids=["maxItems", "regex"])
def test_data_may_repeat_themselves_where_the_form_has_an_end(form: Form) -> None:
    events = events_of(lab([ZEROS]), form, ending=BRAKE)
    assert (events[-1].text, events[-1].attempts) == (ZEROS, 1)
    with pytest.raises(FormError):
        events_of(lab([ZEROS]), LIST, ending=BRAKE)
    assert events_of(lab([ZEROS]), LIST)[-1].text == ZEROS, "no brake was asked for"


def test_an_answer_says_how_its_attempt_was_sampled() -> None:
    first, later = events_of(lab(["[1]"]), LIST)[-1], events_of(lab(["x", "[1]"]), LIST)[-1]
    assert first.sampled is None
    assert (later.sampled.seed, later.sampled.temperature) == (8, RETRY_TEMPERATURE)


def test_one_token_and_choices_are_written_right() -> None:
    with pytest.raises(FormError) as caught:
        events_of(lab(["Paris"]), choice_form("Paris,Rome"), sampling=Sampling(max_tokens=1))
    assert caught.value.message == "the answer was cut off after 1 token, before it matched the choices"
    events = events_of(lab(["Paris"]), choice_form("Paris,Rome"), ending=Ending(("x",)))
    assert notices(events) == ["--stop has no effect, because the answer must match the choices"]


def test_a_text_that_stops_answers_does_not_stop_this_one() -> None:
    events = events_of(lab(['{"city":"Rome"}']), ending=Ending(("Rome",), brake=True))
    assert events[-1].parsed == {"city": "Rome"}
    assert notices(events) == ["--stop has no effect, because the answer must match the schema"]


def test_reasoning_is_shown_and_an_answer_without_text_is_none() -> None:
    thought = "<think>Hmm</think>"
    one = lab([thought, thought, "Rome"], reasoning=True)
    events = events_of(one, choice_form("Rome,Oslo"))
    assert [(event.kind, event.text) for event in events if isinstance(event, Piece)][-1] == ("text", "Rome")
    silent = lab([thought, thought, ""], reasoning=True)
    with pytest.raises(FormError, match="the model reasoned and gave no answer"):
        events_of(silent, choice_form("Rome,Oslo"), retries=0)


def test_another_attempt_stays_in_the_context_that_the_one_before_needed() -> None:
    text = json.dumps({"town": "x" * 100})
    one = lab([text, text, text, json.dumps({"city": "x" * 100})], first=100, limit=4096)
    assert events_of(one)[-1].attempts == 3
    assert len(one.engines) == 2
    list(one.model.answer(QUESTION, sampling=Sampling(max_tokens=3)))
    assert len(one.engines) == 3


class Picky:
    """A form with several constraints, of which the engine can hold only the one called ``held``."""

    name = "the schema"
    to_limit = ""

    def constraints(self, max_tokens: int | None) -> tuple[Constraint, ...]:
        return tuple(Constraint("gbnf", text) for text in ("a", "b", "c"))

    def check(self, text: str, max_tokens: int | None) -> Checked:
        return Checked(text, () if text == "good" else ("bad",))


class Choosy:
    """A model that refuses constraints but those in ``holds``."""

    def __init__(self, one: Lab, holds: str) -> None:
        self.model, self.holds, self.asked = one.model, holds, ""
        self.name, self.quant, self.context_tokens = "fake", None, None

    def answer(self, messages: Any, *, tools: Any = None, sampling: Sampling, ending: Any) -> Any:
        def events() -> Any:
            assert sampling.constraint is not None
            self.asked += sampling.constraint.text
            if sampling.constraint.text not in self.holds:
                raise ConstraintError("no such word")
            yield from answering

        answering = self.model.answer(messages, sampling=replace(sampling, constraint=None), ending=ending)
        made = events()
        return type("Made", (), {"__iter__": lambda _: made, "so_far": lambda _: answering.so_far(),
                                 "close": lambda _: answering.close()})()  # fmt: skip

    def count(self, *_: Any, **__: Any) -> int:
        return 0

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("holds", "asked", "told"), [("abc", "aa", 0), ("bc", "abb", 0), ("c", "abcc", 1)])
def test_the_next_constraint_is_used_where_one_cannot_be_held_and_remembered(holds: str, asked: str, told: int) -> None:
    choosy = Choosy(lab(["bad", "good"]), holds)
    events = list(FormedModel(choosy, Picky(), 2).answer(QUESTION, sampling=Sampling()))
    assert choosy.asked == asked
    assert events[-1].parsed == "good"
    assert sum("cannot hold the schema, so it is only checked" in text for text in notices(events)) == told


def test_where_none_can_be_held_the_engines_words_are_the_error() -> None:
    with pytest.raises(ConstraintError, match=r"^the engine cannot use the schema: no such word$"):
        list(FormedModel(Choosy(lab(["x"]), ""), Picky(), 2).answer(QUESTION, sampling=Sampling()))


def test_closing_ends_the_attempt_and_no_part_of_its_text_is_known() -> None:
    answering = FormedModel(lab(['{"city":"Rome"}']).model, CITY, 2).answer(QUESTION, sampling=Sampling())
    for _ in range(6):
        next(answering)
    answering.close()
    assert answering.so_far().finish_reason == "interrupted"
    assert (answering.so_far().text, answering.so_far().usage.completion_tokens > 0) == ("", True)
    assert list(answering) == []
