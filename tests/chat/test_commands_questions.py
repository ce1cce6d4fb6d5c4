"""Lines that begin like a command, but are questions; and what people type from habits of other programs."""

from __future__ import annotations

import pytest

from phicli.chat.commands.line import Mistake, Order, Question, read_line
from phicli.chat.commands.table import BY_NAME

QUESTIONS = [
    "",
    "/set the table for two?",
    "/set theory for beginners, please",
    "/set theory?",
    "/set fire to the rain: who sang it?",
    "/set up a virtual environment in Python",
    "/set temperature of an oven for pizza?",
    "/set temperature high?",
    "/set seed potatoes in spring: when?",
    "/set stop words in Italian",
    "/set stop words?",
    "/set max-tokens for a short answer",
    "/set point of a thermostat",
    "/set seed?",
    "/show me a poem",
    "/show me the code again",
    "/show and tell: ideas?",
    "/show business in 1920",
    "/info about the French Revolution",
    "/tokens of a blockchain: what are they?",
    "/tokens in Phi-4 compared with GPT",
    "/context of the Treaty of Versailles",
    "/stats on baseball",
    "/stats of the last World Cup",
    "/stats off the top of your head",
    "/load the gun?",
    "/load balancing in nginx",
    "/load balancing?",
    "/load a CSV file in pandas",
    "/export duties in France?",
    "/export a variable in bash",
    "/export the table as CSV, how?",
    "/copy that floppy please",
    "/copy 2 files with scp",
    "/copy constructor in C++",
    "/copy con in DOS",
    "/think about it",
    "/think show me your reasoning",
    "/think off the record",
    "/think step by step: 17 * 23",
    "/help me",
    "/help wanted: a joke",
    "/help! by the Beatles",
    "/read the room: meaning?",
    "/upload speed of fiber?",
    "/regenerate the last paragraph in French",
    "/reset a Windows password",
    "/list comprehension in Python",
    "/bye bye love lyrics",
    "/quit smoking: tips",
    "/q and a about taxes",
    "/context switching: why is it slow?",
    "/sessions in PHP",
    "/save energy at home",
    "/save energy?",
    "/forget about it: meaning",
    "/summary of Hamlet",
    "",
]


@pytest.mark.parametrize("line", [line for line in QUESTIONS if line])
def test_a_question_that_begins_like_a_command_is_a_question(line: str) -> None:
    assert read_line(line, BY_NAME) == Question(line)


@pytest.mark.parametrize(
    ("line", "name", "argument"),
    [
        ("/?", "/help", ""),
        ("/help set", "/help", "set"),
        ("/help /set", "/help", "/set"),
        ("/q", "/exit", ""),
        ("/bye", "/exit", ""),
        ("/regen", "/retry", ""),
        ("/clear", "/new", ""),
        ("/reset", "/new", ""),
        ("/context", "/tokens", ""),
        ("/info", "/show", ""),
        ("/show parameters", "/show", "parameters"),
        ("/? set", "/help", "set"),
        ("/read notes.txt", "/file", "notes.txt"),
        ("/system-prompt Be brief.", "/system", "Be brief."),
        ("/set", "/set", ""),
        ("/set temperature 0.5", "/set", "temperature 0.5"),
        ("/set temprature 0.5", "/set", "temprature 0.5"),
        ("/set temperature hot", "/set", "temperature hot"),
        ("/set temperature to 0.5", "/set", "temperature to 0.5"),
        ("/set top_p=0.9", "/set", "top_p=0.9"),
        ("/set parameter num_predict 50", "/set", "parameter num_predict 50"),
        ("/set foo 3", "/set", "foo 3"),
        ("/set verbose", "/set", "verbose"),
        ('/set stop "a b" "c?"', "/set", 'stop "a b" "c?"'),
        ("/set stop ?", "/set", "stop ?"),
        ("/think off", "/think", "off"),
        ("/stats on", "/stats", "on"),
        ("/copy 2", "/copy", "2"),
        ("/export talk.json", "/export", "talk.json"),
        ('/export "my talk.md"', "/export", "my talk.md"),
        ("/load last", "/load", "last"),
    ],
)
def test_what_people_type_is_the_command_that_they_mean(line: str, name: str, argument: str) -> None:
    assert read_line(line, BY_NAME) == Order(BY_NAME[name], argument)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/load", "/load needs an argument: /load NAME"),
        ("/list", "see saved conversations: /sessions"),
        ("/tokns", "did you mean /tokens?"),
        ("/sav", "did you mean /save?"),
    ],
)
def test_a_line_that_is_almost_a_command_is_a_mistake(line: str, words: str) -> None:
    meaning = read_line(line, BY_NAME)
    assert isinstance(meaning, Mistake)
    assert words in meaning.text
