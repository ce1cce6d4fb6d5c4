"""The KV state of a session: restored when the session is opened again, and saved when it is left.

A state is restored only where it belongs: in the same build of the engine with the same kernels, the same model file,
rope factors, flash attention and KV cache type, and only if it is as it was written. Otherwise the conversation is
evaluated again, which costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from phicli.answering.adapter_mark import AdapterMark
from phicli.answering.state_carrier import give_away, take_back
from phicli.answering.state_records import (
    MOST_BYTES,
    ModelPart,
    StateKey,
    StatePlace,
    StateRecord,
    is_session_id,
    make_room,
    model_parts,
    place_of,
    record_facts,
    with_hashes,
)
from phicli.chat_format.types import Message
from phicli.engine.closable import Closing
from phicli.engine.leaving import digest, taken
from phicli.engine.state_types import KeepsState, LeavesState
from phicli.engine.types import Adapter, Engine
from phicli.errors import ContextExceededError, EngineDiedError, EngineError
from phicli.gguf_file.names import parts_of
from phicli.paths import cache_dir
from phicli.plan.context import ContextPlan
from phicli.plan.load import LoadPlan
from phicli.plan.prompt_size import estimate_prompt

_WAIT_S: Final = 5.0
"""For a state that another process still saves."""
_SAVING_S: Final = 120.0
"""Less than the age at which folders of states are taken for left behind."""
_TICK_S: Final = 0.05
_QUESTION_TOKENS: Final = 32
"""A question has at least about so many, with the tokens of its format."""
_LINK: Final = "restored"
_NONE: Final = "no KV cache is saved for this session"
_NO_DISK: Final = "no disk has enough free space for it"


@dataclass(frozen=True, slots=True)
class GoingOn:
    """A saved conversation that is opened again.

    Attributes:
        session_id: that of the session.
        messages: the messages that are sent before the next question.
        used_tokens: what they fill of the context, as the last answer reported it; None where it is unknown.
        restores: restore its KV state, if there is one that belongs there.
    """

    session_id: str
    messages: tuple[Message, ...]
    used_tokens: int | None
    restores: bool = True


class SessionStates:
    """Restores and saves the states of sessions for one model that is open.

    Args:
        plan: how the model is loaded.
        folder: the engine's folder of states; None where the engine has none.
    """

    def __init__(self, plan: LoadPlan, folder: Path | None) -> None:
        self._plan = plan
        self._folder = folder if folder is not None and folder.parent == cache_dir() else None
        self._model: tuple[ModelPart, ...] = ()
        with contextlib.suppress(OSError):
            self._model = model_parts(parts_of(plan.settings.model_path))
        self._adapters = AdapterMark(plan.settings.adapters)
        self._place: StatePlace | None = None
        self._record: StateRecord | None = None
        self._whole: _Hashing | None = None
        self.note = ""
        """What became of the state, for people who want to know; empty where nothing was to be done."""

    def use_adapters(self, adapters: Sequence[Adapter]) -> None:
        """From now on states belong to ``adapters``, as their files are now."""
        self._adapters = AdapterMark(adapters)

    def go_on(self, session_id: str) -> None:
        """Prepare to restore the state of a session: it is read and hashed in the background."""
        self.note = _NONE
        if self._folder is None:
            self._not_restored(_NO_DISK)
        if self._folder is None or not is_session_id(session_id):
            return
        self._place, self._model = place_of(session_id), with_hashes(self._model)
        try:
            self._record = self._place.read()
            if self._record is not None:
                os.link(self._place.state, self._folder / _LINK)
                self._whole = _Hashing(self._folder / _LINK)
        except ValueError:
            self._damaged(self._place)
        except OSError as error:
            self._not_restored(error.strerror or str(error))

    def restore(self, engine: Engine, closing: Closing | None) -> bool:
        """Restore the state in ``engine``, if it belongs there; return whether no other engine needs to be tried.

        Raises:
            EngineDiedError: the engine is no longer of use.
        """
        record, whole, place = self._record, self._whole, self._place
        if record is None or whole is None or place is None or self._folder is None:
            return True
        if why := self._why_not(record, engine):
            self._not_restored(why)
            return record.key.build != self._build(engine)
        assert isinstance(engine, KeepsState)  # noqa: S101 (it has a build)
        sha256 = whole.result(closing)
        self._whole = None
        path, restored = self._folder / _LINK, 0
        try:
            if sha256 != record.sha256:
                self._damaged(place)
                return True
            restored = engine.restore_state(path, closing)
        except EngineDiedError:
            place.discard()
            self._not_restored("the engine ended while it read it; it was deleted")
            raise
        except EngineError as error:
            self._not_restored(error.message)
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
        if restored:
            place.used()
            self.note = f"the KV cache of {restored:,} tokens was restored"
        return True

    def keep(self, session_id: str, engine: Engine, used_tokens: int) -> None:
        """Have ``engine`` save its state, of about ``used_tokens``, after this process has ended.

        The engine belongs to nobody then: it must be closed, and not be used again.
        """
        if used_tokens == 0:  # what is saved is still right
            return
        why = self._why_not_saved(session_id, engine, used_tokens)
        self.note = f"the KV cache was not saved: {why}" if why else "the KV cache is being saved"

    def _why_not_saved(self, session_id: str, engine: Engine, used_tokens: int) -> str:
        if self._folder is None:
            return _NO_DISK
        if not isinstance(engine, LeavesState) or not (engine.can_leave and self._model and is_session_id(session_id)):
            return "this engine cannot save it"
        place, self._model = place_of(session_id), with_hashes(self._model)
        try:
            place.state.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not make_room(self._plan.state_bytes(used_tokens + _QUESTION_TOKENS), place):
                return "it is too large, or the disk has too little free space"
            give_away(self._folder)
        except OSError as error:
            return error.strerror or str(error)
        leaves = False
        try:
            leaves = engine.leave_state(self._order(place, engine))
        finally:  # also where Ctrl-C ends the wait
            if not leaves:
                take_back(self._folder)
        return "" if leaves else "the engine does not respond"

    def _order(self, place: StatePlace, engine: Engine) -> dict[str, Any]:
        return {
            "folder": str(self._folder), "state": str(place.state), "record": str(place.record),
            "lock": str(place.lock), "facts": record_facts(self._key(engine)),
            "model": [asdict(part) for part in self._model], "most_bytes": MOST_BYTES, "limit_s": _SAVING_S,
        }  # fmt: skip

    def _why_not(self, record: StateRecord, engine: Engine) -> str:
        """Why a state does not belong in ``engine``; empty where it does."""
        now, then = self._key(engine), record.key
        if now.build != then.build:
            return f"it was saved by another build of the engine: {then.build}"
        same_parts = len(record.model) == len(self._model)
        if not same_parts or not all(old.is_same(new) for old, new in zip(record.model, self._model, strict=True)):
            return "it belongs to another model file"
        if otherwise := _otherwise(now, then):
            return f"it was computed {otherwise}"
        if record.tokens >= engine.context_tokens:
            return f"it has {record.tokens:,} tokens, but the context has only {engine.context_tokens:,}"
        return ""

    def _key(self, engine: Engine) -> StateKey:
        settings = self._plan.settings_for(engine.context_tokens).engine
        long_factors = self._plan.context.has_long_factors(engine.context_tokens)
        build, adapters = self._build(engine), self._adapters.text()
        return StateKey(build, long_factors, settings.flash_attention, settings.kv_type, adapters)

    def _build(self, engine: Engine) -> str:
        return engine.build if isinstance(engine, KeepsState) else ""

    def _damaged(self, place: StatePlace) -> None:
        deleted = place.discard()
        self._not_restored("it is damaged, and was deleted" if deleted else "it is being saved again")

    def _not_restored(self, why: str) -> None:
        self.note = f"the KV cache of this session was not restored: {why}"


def _otherwise(now: StateKey, then: StateKey) -> str:
    """With what a state was computed that is not in use now; empty where all is the same."""
    if now.adapters != then.adapters:
        return "with other adapters" if then.adapters else "without adapters"
    if now.long_factors != then.long_factors:
        return f"with the {'long' if then.long_factors else 'short'} rope factors"
    if (now.flash_attention, now.kv_type) != (then.flash_attention, then.kv_type):
        return f"with flash attention {then.flash_attention} and KV cache type {then.kv_type}"
    return ""


class _Hashing:
    """Hashes a file in the background."""

    def __init__(self, path: Path) -> None:
        self._done, self._sha256 = threading.Event(), ""
        threading.Thread(target=self._hash, args=(path,), daemon=True, name="phi-state-hash").start()

    def result(self, closing: Closing | None) -> str:
        """The hash; empty if the file cannot be read. ``closing`` ends the wait for it."""
        while not self._done.wait(_TICK_S):
            if closing is not None:
                closing.check()
        return self._sha256

    def _hash(self, path: Path) -> None:
        try:
            with contextlib.suppress(OSError):
                self._sha256 = digest(path)
        finally:
            self._done.set()


def await_saving(going_on: GoingOn, *, wait_s: float = _WAIT_S) -> None:
    """Return when no process saves the state of the session any longer, after ``wait_s`` seconds at the latest.

    That process still has its model loaded until then.
    """
    if not is_session_id(going_on.session_id):
        return
    lock = place_of(going_on.session_id).lock
    with contextlib.suppress(OSError):
        if lock.exists() and (file := taken(lock, wait_s=wait_s)) is not None:
            os.close(file)


def first_context(context: ContextPlan, going_on: GoingOn) -> int:
    """The context in tokens that a conversation goes on with: the usual first one, or a larger one where it needs that.

    Where the size of the conversation is only estimated, that does not decide on the long rope factors.
    """
    used, first = going_on.used_tokens, context.first_tokens
    needed = estimate_prompt(message.content for message in going_on.messages) if used is None else used
    try:
        size = first if needed + _QUESTION_TOKENS < first else context.grown(needed + _QUESTION_TOKENS)
    except ContextExceededError:  # the answer reports it, unless the conversation is made shorter before
        return first
    surely = used is not None or context.has_long_factors(size) == context.has_long_factors(first)
    return size if surely else first


def remove_state(session_id: str) -> None:
    """Delete the state of a session that was removed, if there is one; a process that still saves one deletes it."""
    if is_session_id(session_id):
        place_of(session_id).remove()
