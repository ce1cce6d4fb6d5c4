"""Conversations that are longer than the context: refused, or shortened as a person wants."""

from __future__ import annotations

import random
from typing import Any

import pytest

from phicli.answering.types import Notice
from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat.overflow import Overflow, Overflowing
from phicli.chat_format.types import Message
from phicli.engine.closable import Closing
from phicli.errors import ContextExceededError
from tests.fakes.scripted_engine import ScriptedEngine
from tests.fakes.scripted_model import Lab

LIMIT = 512
ROOM = 128  # of the answer: a quarter of the limit


def answered(question: str, answer: str = "yes", *attachments: Attachment) -> Turn:
    return Turn(question, attachments, (Message("assistant", answer),))


def lab_with(dialogue: Dialogue, overflow: Overflow, *, limit: int = LIMIT, **more: Any) -> Lab:
    lab = Lab(lambda _: "ok<|end|>", first=limit, limit=limit, **more)
    lab.session.become(dialogue)
    lab.session.fitting = overflow
    return lab


def notices(events: list[object]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def letters(word: str, count: int) -> str:
    """A question that begins with ``word`` and has ``count`` characters."""
    return f"{word} " + "x" * (count - len(word) - 1)


LONG = Dialogue("be brief", tuple(answered(letters(f"{number}th", 100)) for number in range(1, 6)))


def test_drop_leaves_out_the_oldest_turns_and_says_which() -> None:
    """A quarter of the context stays free, so that it is not necessary again with the next question."""
    lab = lab_with(LONG, Overflow("drop"))
    _, events = lab.ask("why?")
    prompt = lab.engines[0].prompts[-1]
    assert [f"{number}th" in prompt for number in range(1, 6)] == [False, False, False, True, True]
    assert prompt.startswith("<|system|>be brief<|end|>")
    assert len(notices(events)) == 1
    assert notices(events)[0].startswith('turns 1 to 3 ("1th …" to "3th …") are no longer sent to the model')
    assert "but the context has only 512, 128 of them for the answer" in notices(events)[0]
    assert lab.session.dialogue.left_out == 3
    assert len(lab.session.dialogue.turns) == 6


def test_a_turn_that_was_left_out_is_named_once() -> None:
    lab = lab_with(LONG, Overflow("drop"))
    lab.ask("why?")
    assert notices(lab.ask("y" * 100)[1]) == []
    _, events = lab.ask("z" * 100)
    assert notices(events)[0].startswith('turns 4 to 5 ("4th …" to "5th …") are no longer sent')


def test_the_fewest_turns_are_left_out_where_no_quarter_can_stay_free() -> None:
    lab = lab_with(LONG, Overflow("drop"))
    lab.ask("y" * 280)
    assert lab.session.dialogue.left_out == 5
    lab = lab_with(Dialogue("be brief", (*LONG.turns[:4], answered("5th " + "x" * 20))), Overflow("drop"))
    lab.ask("y" * 280)
    assert lab.session.dialogue.left_out == 4


def test_a_conversation_that_fits_is_sent_as_it_is() -> None:
    lab = lab_with(LONG, Overflow("drop"), limit=1024)
    _, events = lab.ask("why?")
    assert "1th" in lab.engines[0].prompts[-1]
    assert notices(events) == []


def counting(lab: Lab) -> list[int]:
    """What the model counts from now on."""
    counts: list[int] = []
    count = lab.model.count

    def counted(*given: Any, **more: Any) -> int:
        counts.append(count(*given, **more))
        return counts[-1]

    lab.model.count = counted  # type: ignore[method-assign]
    return counts


def test_tokens_are_counted_only_where_the_context_may_be_full() -> None:
    lab = lab_with(LONG, Overflow("drop"), limit=4096)
    counts = counting(lab)
    lab.ask("why?")
    assert counts == []
    lab.ask("x" * 2300)
    assert len(counts) == 1
    for _ in range(5):  # what was counted is known from now on
        lab.ask("and then?")
    assert len(counts) == 1
    lab.ask("y" * 700)
    assert len(counts) > 1
    assert lab.session.dialogue.left_out > 0


def test_another_model_counts_for_itself() -> None:
    lab = lab_with(LONG, Overflow("drop"), limit=4096)
    lab.ask("x" * 2300)
    other = lab_with(LONG, Overflow("drop"), limit=4096)
    lab.session.model = other.model
    counts = counting(other)
    lab.ask("and then?")
    assert len(counts) == 1


def test_the_attachments_of_turns_that_are_left_out_are_still_sent() -> None:
    first = answered(letters("first", 200), "yes", Attachment("notes.txt", "the password is tulip"))
    lab = lab_with(Dialogue(None, (first, *LONG.turns[:2])), Overflow("drop"))
    lab.ask("which password?")
    prompt = lab.engines[0].prompts[-1]
    assert "tulip" in prompt
    assert "first" not in prompt


def test_the_attachment_of_a_question_without_an_answer_is_not_sent_when_that_is_left_out() -> None:
    failed = Turn("too long", (Attachment("huge.txt", "z" * 5000),))
    lab = lab_with(Dialogue(None, (failed, *LONG.turns)), Overflow("drop"))
    lab.ask("why?")
    assert "z" not in lab.engines[0].prompts[-1]


def test_drop_says_so_where_there_is_nothing_to_leave_out() -> None:
    lab = lab_with(Dialogue("be brief"), Overflow("drop"))
    with pytest.raises(ContextExceededError, match="there are no earlier turns to leave out") as caught:
        list(lab.session.ask("what is this?", [Attachment("huge.txt", "z" * 600)]))
    assert "--on-overflow summarize" in caught.value.hint
    assert caught.value.data == {"prompt_tokens": 658, "context_tokens": LIMIT}
    assert caught.value.exit_code == 7
    assert lab.session.dialogue.turns[-1].question == "what is this?"


def test_drop_leaves_out_nothing_where_that_does_not_help() -> None:
    lab = lab_with(LONG, Overflow("drop"))
    with pytest.raises(ContextExceededError, match="without the earlier turns"):
        lab.ask("z" * 600)
    assert lab.session.dialogue.left_out == 0


def test_a_question_that_leaves_little_for_the_answer_is_asked() -> None:
    lab = lab_with(Dialogue(), Overflow("drop"))
    answer, events = lab.ask("z" * (LIMIT - 20))
    assert (answer.text, notices(events)) == ("ok", [])


@pytest.mark.parametrize("overflow", [Overflow("error"), Overflow("ask")])
def test_error_leaves_the_conversation_to_the_model(overflow: Overflow) -> None:
    lab = lab_with(LONG, overflow)
    with pytest.raises(ContextExceededError, match=r"has 553 tokens, but the context has only 512") as caught:
        lab.ask("why?")
    for remedy in ("--on-overflow drop", "summarize", "/undo", "/edit"):
        assert remedy in caught.value.hint
    lab.session.undo(3)
    assert lab.ask("why?")[0].text == "ok"


def test_a_person_is_asked_once() -> None:
    facts: list[Overflowing] = []
    chosen: list[str] = []

    def choose(overflowing: Overflowing) -> str:
        facts.append(overflowing)
        return "drop"

    overflow = Overflow("ask", choose=choose, on_choice=chosen.append)
    lab = lab_with(LONG, overflow)
    lab.ask("why?")
    lab.ask("y" * 100)
    assert (overflow.policy, chosen, len(facts)) == ("drop", ["drop"], 1)
    assert (facts[0].context_tokens, facts[0].turns, facts[0].attachments) == (LIMIT, 5, 0)
    assert lab.session.dialogue.left_out == 3


def test_nobody_is_asked_where_no_choice_helps() -> None:
    def choose(_: Overflowing) -> str:
        raise AssertionError("nothing can be left out")

    for before in (Dialogue(), Dialogue(None, (answered("hello"),))):
        lab = lab_with(before, Overflow("ask", choose=choose))
        with pytest.raises(ContextExceededError, match="but the context has only 512"):
            lab.ask("z" * 600)


def test_a_person_may_choose_to_go_on_as_long_as_it_fits() -> None:
    chosen: list[str] = []
    lab = lab_with(LONG, Overflow("ask", choose=lambda _: "error", on_choice=chosen.append), limit=640)
    answer, events = lab.ask("why?")
    assert (answer.text, notices(events), chosen) == ("ok", [], ["error"])
    assert lab.session.dialogue.left_out == 0
    with pytest.raises(ContextExceededError, match="but the context has only 640"):
        lab.ask("y" * 100)


def test_an_answer_that_is_limited_needs_less() -> None:
    lab = lab_with(LONG, Overflow("drop"))
    lab.session.chosen = lab.session.chosen.changed("max-tokens", 10)
    lab.ask("why?")
    assert lab.session.dialogue.left_out == 2


def test_a_retry_is_shortened_too_and_keeps_the_old_answer_until_the_new_one_begins() -> None:
    lab = lab_with(LONG.with_turn(answered("why?", "because")), Overflow("drop"))
    answering = lab.session.retry()
    next(event for event in answering if isinstance(event, Notice) and "no longer sent" in event.text)
    answering.close()
    last = lab.session.dialogue.turns[-1]
    assert (last.question, last.answer and last.answer.content) == ("why?", "because")
    list(lab.session.retry())
    last = lab.session.dialogue.turns[-1]
    assert (last.question, last.answer and last.answer.content) == ("why?", "ok")


def some_text(dice: random.Random, most: int) -> str:
    return "".join(dice.choices("abc de\né漢🙂", k=dice.randint(0, most)))


def some_turn(dice: random.Random) -> Turn:
    names = ("", "a.txt", "b.md")
    attachments = tuple(Attachment(dice.choice(names), some_text(dice, 60)) for _ in range(dice.choice((0, 0, 1, 2))))
    replies = (Message("assistant", some_text(dice, 150)),) if dice.random() < 0.8 else ()
    return Turn(some_text(dice, 150), attachments, replies)


def some_dialogue(dice: random.Random) -> Dialogue:
    turns = tuple(some_turn(dice) for _ in range(dice.randint(0, 12)))
    left_out = dice.randint(0, len(turns))
    summary = some_text(dice, 150) if left_out and dice.random() < 0.5 else None
    return Dialogue(dice.choice((None, "stay polite")), turns, left_out, summary)


@pytest.mark.parametrize("policy", ["drop", "summarize"])
@pytest.mark.parametrize("limit", [300, 600, 1800])
def test_what_is_sent_fits_and_holds_system_message_attachments_and_question(policy: str, limit: int) -> None:
    dice = random.Random(limit)
    outcomes = {"sent as it is": 0, "shortened": 0, "refused": 0}
    for _ in range(200):
        before, question = some_dialogue(dice), some_turn(dice)
        lab = lab_with(before, Overflow(policy), limit=limit)
        least = lab.model.count(Dialogue(before.system, before.turns, len(before.turns)).messages(question))
        try:
            sent, asked = fitted(lab, before, question)
        except ContextExceededError:
            outcomes["refused"] += 1
            assert least > limit // 2 or limit < 1000  # room for a summary is necessary too
            assert policy == "summarize" or least >= limit - 1
            continue
        outcomes["sent as it is" if sent == before else "shortened"] += 1
        messages = sent.messages(asked)
        assert lab.model.count(messages) < limit - 1
        assert (messages[0].role == "system") == (before.system is not None)
        assert messages[-1].content.endswith(question.question)
        whole = "".join(message.content for message in messages)
        for turn in (*(turn for turn in sent.turns if turn.replies), asked):
            assert all(attachment.block.rstrip("\n") in whole for attachment in turn.attachments)
        assert [(turn.question, turn.replies) for turn in sent.turns] == [
            (turn.question, turn.replies) for turn in before.turns
        ]
    assert outcomes["sent as it is"] > 0
    assert outcomes["shortened"] > 0 or (policy, limit) == ("summarize", 300)  # too small for summaries


def fitted(lab: Lab, before: Dialogue, question: Turn) -> tuple[Dialogue, Turn]:
    """What the session's policy makes of a conversation and a question."""
    assert lab.session.fitting is not None
    work = lab.session.fitting.fit(lab.session, before, question, Closing())
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


class CountingEngine(ScriptedEngine):
    """Counts the texts that it tokenizes: a real engine needs 1 ms for each."""

    tokenized = 0

    def tokenize(self, text: str, **how: Any) -> tuple[int, ...]:
        self.tokenized += 1
        return super().tokenize(text, **how)


@pytest.mark.parametrize("policy", ["error", "drop", "ask"])
def test_thousands_of_messages_are_not_counted_before_they_are_refused_or_left_out(policy: str) -> None:
    engine = CountingEngine(lambda _: "ok<|end|>", context_tokens=LIMIT)
    turns = tuple(answered(f"{number}?") for number in range(5000))
    overflow = Overflow(policy, choose=lambda _: "error" if policy == "ask" else policy)
    lab = lab_with(Dialogue(None, turns), overflow, make=lambda _: engine)
    if policy == "drop":
        assert "the conversation has at least 10001 tokens, but the context" in notices(lab.ask("why?")[1])[0]
        assert "4999?" in engine.prompts[-1]
    else:
        with pytest.raises(ContextExceededError, match="has at least 30004 tokens"):
            lab.ask("why?")
    assert engine.tokenized < 3000
