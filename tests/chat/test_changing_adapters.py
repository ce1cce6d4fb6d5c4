"""The adapters of a conversation change: by the engine that runs, or by another one, as the model does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from phicli.answering.opening import OpenModel
from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.facts import facts_of_question
from phicli.chat.open import ModelInUse, OpenChat, session_over
from phicli.chat.opened import Named
from phicli.chat.saved_adapters import adapters_of_dialogue
from phicli.chat_format.types import Message
from phicli.commands.switching import Switching, adapters_in_use
from phicli.engine.types import Adapter
from phicli.errors import DoesNotFitError, NotFoundError, PhiError, UsageError, WrongBaseError
from phicli.gguf_file.header import read_header
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import LoadPlan, Use, plan_load
from phicli.plan.locate import locate
from tests.chat.test_remote import named
from tests.fakes.scripted_model import Lab, echo
from tests.fakes.stateful_engine import StatefulEngine
from tests.support.files import TINY_PHI
from tests.support.lora import tensors, write_gguf


class Starts:
    """The engine of one opening: it has loaded ``loaded``."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan, self.loaded = plan, {one.path for one in plan.settings.adapters}

    def has_loaded(self, adapters: tuple[Adapter, ...]) -> bool:
        return {one.path for one in adapters} <= self.loaded

    def use_adapters(self, adapters: tuple[Adapter, ...]) -> LoadPlan | None:
        if not self.has_loaded(adapters):
            return None
        self.plan = replace(self.plan, settings=replace(self.plan.settings, adapters=adapters))
        return self.plan


class Opener:
    """Opens tiny-phi on scripted engines; ``opened`` are the adapters of each opening. ``heavy`` fits no memory."""

    def __init__(self, engine: str = "xllamacpp") -> None:
        self.engine = engine
        self.opened: list[list[str]] = []

    @contextlib.contextmanager
    def __call__(self, located: Named) -> Iterator[Any]:
        adapters = getattr(located, "adapters", ())
        self.opened.append([one.typed_as(one.path.stem) for one in adapters])
        if any(one.path.stem == "heavy" for one in adapters):
            raise DoesNotFitError("tiny-phi needs 2 GiB, but 1 GiB is free")
        options = ChatOptions(temperature=0, adapters=adapters)
        header = read_header(TINY_PHI)
        plan = plan_load(locate("tiny-phi"), header, options, Use.CONVERSATION, memory=None, cores=1)
        starts = cast("Any", Starts(plan))
        lab = Lab(echo, make=lambda tokens: StatefulEngine(echo, context_tokens=tokens))
        yield OpenModel(lab.model, plan, cast("Any", lab.engines), self.engine, starts=starts)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for name in ("loud", "style", "heavy"):
        write_gguf(tmp_path / f"{name}.gguf", tensors(size=0.01))
    write_gguf(tmp_path / "wide.gguf", tensors(modules={"mlp.down_proj": ("ffn_down", 8192, 3072)}))
    return tmp_path


class Conversation:
    """A conversation with what changes its adapters."""

    def __init__(self, models: ModelInUse) -> None:
        self.chat = OpenChat(session_over(models.opened, Dialogue()), models)
        self.chat.session.facts = self.chat.facts
        self.told: list[str] = []
        self.switching = Switching(self.chat, cast("Any", None), self.told.append, self.told.append)

    def change(self, *typed: str) -> list[str]:
        self.switching.change_adapters(typed)
        return self.used

    @property
    def used(self) -> list[str]:
        return [one.typed_as(one.path.stem) for one in adapters_in_use(self.chat)]

    def ask(self, text: str) -> Any:
        return list(self.chat.session.ask(text))[-1]


@contextlib.contextmanager
def talking(opener: Opener) -> Iterator[Conversation]:
    with ModelInUse(opener, locate("tiny-phi")) as models:
        yield Conversation(models)


def test_an_adapter_that_is_loaded_needs_no_other_engine(folder: Path) -> None:
    opener = Opener()
    with talking(opener) as talk:
        assert talk.change("loud.gguf", "style.gguf:0") == ["loud", "style:0"]
        first = talk.chat.opened.model
        assert talk.change("style.gguf:2") == ["style:2"]
        assert talk.change("none") == []
        assert talk.chat.opened.model is first
        assert opener.opened == [[], ["loud", "style:0"]]
    assert len(opener.opened) == 2


def test_the_same_adapters_change_nothing(folder: Path) -> None:
    with talking(Opener()) as talk:
        talk.change("loud.gguf")
        talk.ask("one")
        opened = talk.chat.opened
        talk.change("loud.gguf")
        assert talk.chat.opened is opened
        assert talk.chat.session.last_remembered is not None


@pytest.mark.parametrize(
    ("typed", "kind", "words"),
    [
        ("wide.gguf", WrongBaseError, "8192 x 3072 in the adapter, but 384 x 128 in the model"),
        ("gone.gguf", NotFoundError, "gone.gguf does not exist"),
        ("lout", NotFoundError, "adapter 'lout' not found"),
        ("loud.gguf:x", UsageError, "'x' of the adapter loud.gguf is not a number"),
    ],
)
def test_what_cannot_be_used_does_not_end_the_engine(
    folder: Path, typed: str, kind: type[PhiError], words: str
) -> None:
    opener = Opener()
    with talking(opener) as talk:
        talk.change("loud.gguf:0.5")
        opened = talk.chat.opened
        with pytest.raises(kind, match=words):
            talk.change(typed)
        assert (talk.chat.opened, talk.used) == (opened, ["loud:0.5"])
    assert opener.opened == [[], ["loud:0.5"]]


def test_where_the_memory_is_too_small_those_before_go_on(folder: Path) -> None:
    opener = Opener()
    with talking(opener) as talk:
        talk.change("loud.gguf")
        talk.change("loud.gguf:0.5")
        with pytest.raises(DoesNotFitError):
            talk.change("heavy.gguf")
        assert talk.used == ["loud:0.5"]
        assert talk.ask("one").text == "ONE"
    assert opener.opened == [[], ["loud"], ["heavy"], ["loud:0.5"]]


def test_an_engine_without_adapters_refuses_them(folder: Path) -> None:
    with talking(Opener("ctransformers")) as talk:
        assert talk.change("none") == []
        with pytest.raises(UsageError, match=r"ctransformers cannot use adapters \(LoRA\)"):
            talk.change("loud.gguf")


def test_a_model_of_a_remote_refuses_them_as_the_option_does(folder: Path) -> None:
    with talking(Opener()) as talk:
        talk.chat.models.located = named()
        for call in (lambda: talk.change("none"), talk.switching.adapters, talk.switching.other_adapters):
            with pytest.raises(UsageError) as caught:
                call()
            assert caught.value.message == (
                "/adapter sets an engine of this machine, but lab/phi-4 is a model of the remote lab"
            )


def test_each_answer_names_its_adapters(folder: Path) -> None:
    with talking(Opener()) as talk:
        talk.ask("one")
        talk.change("loud.gguf:0.5")
        talk.ask("two")
        talk.change("none")
        talk.ask("three")
        turns = talk.chat.session.dialogue.turns
        found = [adapters_of_dialogue(Dialogue(None, turns[:count])) for count in (1, 2, 3)]
    assert found == [(), (Adapter(folder / "loud.gguf", 0.5),), ()]


def test_a_question_without_an_answer_names_them_too(folder: Path) -> None:
    with talking(Opener()) as talk:
        talk.change("loud.gguf")
        talk.ask("one")
        talk.change("none")
        asked = Turn("two", facts=facts_of_question(talk.chat.plan))
        assert adapters_of_dialogue(talk.chat.session.dialogue.with_turn(asked)) == ()


def test_a_retry_after_a_change_keeps_temperature_0(folder: Path) -> None:
    def temperature_of_retry(session: Any) -> float:
        list(session.retry())
        facts = session.dialogue.turns[-1].facts
        return float(facts["sampling"]["temperature"])

    with talking(Opener()) as talk:
        session = talk.chat.session
        talk.ask("one")
        assert temperature_of_retry(session) == 0.7
        talk.change("loud.gguf")
        assert temperature_of_retry(session) == 0
        assert temperature_of_retry(session) == 0.7
        talk.change("loud.gguf:0.5")
        assert temperature_of_retry(session) == 0
        session.become(Dialogue(None, (Turn("imported", replies=(Message("assistant", "yes"),)),)))
        assert temperature_of_retry(session) == 0.7
