"""Kinds of word problems for ``benchmarks.make_evals``: each draws its numbers and computes its answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

NAMES: Final = ("Ada", "Ben", "Carla", "David", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Keiko", "Liam")
THINGS: Final = ("apples", "marbles", "stamps", "pencils", "shells", "buttons", "postcards", "walnuts")


@dataclass(frozen=True, slots=True)
class Problem:
    """A question and the number that answers it."""

    question: str
    answer: int | float


def _money(cents: int) -> str:
    return f"${cents // 100}.{cents % 100:02}" if cents % 100 else f"${cents // 100}"


def _dollars(cents: int) -> int | float:
    return cents // 100 if cents % 100 == 0 else cents / 100


def _gift(r: Random) -> Problem:
    a, b = r.sample(NAMES, 2)
    thing, x, y, z = r.choice(THINGS), r.randint(23, 95), r.randint(14, 60), r.randint(5, 30)
    text = f"{a} has {x} {thing} and finds {y} more. Then {a} gives {z} of them to {b}. How many {thing} does {a} have"
    return Problem(f"{text} now?", x + y - z)


def _boxes(r: Random) -> Problem:
    thing, x, y, z = r.choice(THINGS), r.randint(12, 48), r.randint(6, 15), r.randint(3, 40)
    text = (
        f"A box holds {x} {thing}. There are {y} full boxes and {z} loose {thing}. How many {thing} are there in all?"
    )
    return Problem(text, x * y + z)


def _train(r: Random) -> Problem:
    speed, hours, rest = 5 * r.randint(12, 30), r.randint(2, 6), r.randint(20, 180)
    text = f"A train line is {speed * hours + rest} kilometres long. A train has driven along it for {hours} hours at"
    return Problem(f"{text} {speed} kilometres an hour. How many kilometres are left?", rest)


def _shopping(r: Random) -> Problem:
    book, pen, n, m = 25 * r.randint(9, 30), 25 * r.randint(2, 8), r.randint(3, 8), r.randint(4, 12)
    text = (
        f"A notebook costs {_money(book)} and a pen costs {_money(pen)}. How many dollars do {n} notebooks and {m} pens"
    )
    return Problem(f"{text} cost together?", _dollars(n * book + m * pen))


def _change(r: Random) -> Problem:
    price, count = 5 * r.randint(130, 310), r.randint(2, 3)
    name = r.choice(NAMES)
    text = f"{name} buys {count} lamps at {_money(price)} each and pays with a $50 note."
    return Problem(f"{text} How many dollars does {name} get back?", _dollars(5000 - count * price))


def _sale(r: Random) -> Problem:
    price, off = 20 * r.randint(3, 18), 5 * r.randint(2, 9)
    text = f"A coat costs ${price}. In a sale it is {off} percent cheaper. How many dollars does it cost in the sale?"
    return Problem(text, price * (100 - off) // 100)


def _reading(r: Random) -> Problem:
    a_day, days, last = r.randint(14, 35), r.randint(6, 15), r.randint(1, 13)
    pages, name = a_day * days + last, r.choice(NAMES)
    text = f"A book has {pages} pages. {name} reads {a_day} pages every day until it is finished; on the last day fewer"
    return Problem(f"{text} are left. On how many days does {name} read in it?", math.ceil(pages / a_day))


def _left_over(r: Random) -> Problem:
    thing, bag, bags = r.choice(THINGS), r.randint(7, 19), r.randint(11, 35)
    rest = r.randint(1, bag - 1)
    text = f"{bag * bags + rest} {thing} are packed into bags of {bag}. As many bags as possible are filled."
    return Problem(f"{text} How many {thing} are left over?", rest)


def _ages(r: Random) -> Problem:
    a, b = r.sample(NAMES, 2)
    young, times, years = r.randint(6, 14), r.randint(2, 4), r.randint(5, 20)
    text = f"{a} is {young} years old, and {b} is {times} times as old. How old will {b} be in {years} years?"
    return Problem(text, young * times + years)


def _average(r: Random) -> Problem:
    scores = [r.randint(52, 97) for _ in range(3)]
    scores.append(next(last for last in range(60, 100) if (sum(scores) + last) % 4 == 0))
    name = r.choice(NAMES)
    text = f"{name} has {scores[0]}, {scores[1]}, {scores[2]} and {scores[3]} points in four tests."
    return Problem(f"{text} What is the average?", sum(scores) // 4)


def _garden(r: Random) -> Problem:
    long, wide, path = r.randint(14, 40), r.randint(9, 25), r.randint(8, 60)
    text = f"A rectangular garden is {long} metres long and {wide} metres wide. Paths take {path} square metres of it."
    return Problem(f"{text} How many square metres are left?", long * wide - path)


def _fence(r: Random) -> Problem:
    long, wide, gate, price = r.randint(21, 60), r.randint(11, 30), r.randint(2, 5), r.randint(7, 19)
    text = f"A field of {long} by {wide} metres gets a fence all around, except for a gate of {gate} metres."
    return Problem(
        f"{text} A metre of fence costs ${price}. How many dollars does the fence cost?",
        (2 * (long + wide) - gate) * price,
    )


def _tank(r: Random) -> Problem:
    rate, minutes, there = r.randint(6, 18), r.randint(12, 45), r.randint(30, 120)
    text = f"A tank for {rate * minutes + there} litres has {there} litres of water in it."
    return Problem(f"{text} A tap adds {rate} litres a minute. After how many minutes is the tank full?", minutes)


def _class(r: Random) -> Problem:
    part, share = r.choice([("third", 3), ("quarter", 4), ("fifth", 5)])
    pupils = share * 4 * r.randint(2, 9)
    rest = pupils - pupils // share
    text = (
        f"A school trip has {pupils} pupils. A {part} of them go by bike. Half of the others take the bus, and the rest"
    )
    return Problem(f"{text} walk. How many walk?", rest // 2)


def _wages(r: Random) -> Problem:
    name, rate, hours, extra = r.choice(NAMES), 2 * r.randint(7, 15), r.randint(30, 38), r.randint(3, 9)
    text = f"{name} earns ${rate} an hour, and one and a half times as much for each hour of overtime. Last week {name}"
    return Problem(
        f"{text} worked {hours} normal hours and {extra} hours of overtime. How many dollars did {name} earn?",
        rate * hours + rate * 3 // 2 * extra,
    )


def _recipe(r: Random) -> Problem:
    people, each, guests = r.randint(3, 6), 5 * r.randint(9, 30), r.randint(7, 15)
    text = f"A recipe for {people} people needs {people * each} grams of flour."
    return Problem(f"{text} How many grams are needed for {guests} people?", each * guests)


def _temperature(r: Random) -> Problem:
    noon, fall, rise = r.randint(-4, 7), r.randint(9, 19), r.randint(2, 6)
    text = (
        f"At noon it is {noon} degrees. Until midnight the temperature falls by {fall} degrees, and until the morning"
    )
    return Problem(f"{text} it rises by {rise} degrees. How many degrees is it in the morning?", noon - fall + rise)


def _clock(r: Random) -> Problem:
    start, length = 60 * r.randint(7, 11) + 5 * r.randint(1, 11), 5 * r.randint(19, 55)
    end = start + length
    text = f"A meeting begins at {start // 60}:{start % 60:02} and ends at {end // 60}:{end % 60:02} on the same day."
    return Problem(f"{text} How many minutes does it last?", length)


def _outfits(r: Random) -> Problem:
    shirts, trousers, hats, name = r.randint(4, 9), r.randint(3, 7), r.randint(2, 5), r.choice(NAMES)
    text = (
        f"{name} has {shirts} shirts, {trousers} pairs of trousers and {hats} hats. How many different outfits of one"
    )
    return Problem(f"{text} shirt, one pair of trousers and one hat are there?", shirts * trousers * hats)


def _interest(r: Random) -> Problem:
    amount, percent, years = 100 * r.randint(5, 40), r.randint(2, 7), r.randint(2, 6)
    text = f"${amount} are saved at {percent} percent simple interest a year, so each year earns the same."
    total = amount + amount * percent * years // 100
    return Problem(f"{text} How many dollars are there after {years} years?", total)


def _paint(r: Random) -> Problem:
    blue, white, times = (*r.choice([(2, 3), (3, 5), (4, 7), (5, 2), (3, 4)]), r.randint(4, 12))
    text = f"A colour is mixed from {blue} parts of blue and {white} parts of white. How many litres of white go with"
    return Problem(f"{text} {blue * times} litres of blue?", white * times)


def _walk(r: Random) -> Problem:
    km, metres, laps = r.randint(2, 9), 50 * r.randint(1, 19), r.randint(3, 8)
    text = f"A trail is {km} kilometres and {metres} metres long. How many metres are {laps} rounds of it?"
    return Problem(text, (1000 * km + metres) * laps)


def _seats(r: Random) -> Problem:
    rows, seats, broken, sold = r.randint(14, 30), r.randint(16, 28), r.randint(3, 12), r.randint(90, 200)
    text = f"A cinema has {rows} rows of {seats} seats; {broken} seats are broken and {sold} are sold."
    return Problem(f"{text} How many seats can still be sold?", rows * seats - broken - sold)


def _doubling(r: Random) -> Problem:
    start, hours = r.randint(3, 25), r.randint(4, 7)
    text = f"A culture has {start} cells, and their number doubles every hour."
    return Problem(f"{text} How many cells are there after {hours} hours?", start * 2**hours)


def _budget(r: Random) -> Problem:
    rent, food, rest = 10 * r.randint(60, 120), 5 * r.randint(50, 90), 5 * r.randint(30, 80)
    ticket, name = r.randint(35, 80), r.choice(NAMES)
    income = rent + food + ticket + rest
    text = f"{name} gets ${income} a month and pays ${rent} for rent, ${food} for food and ${ticket} for a bus ticket."
    return Problem(
        f"{text} Half of what is left is saved. How many dollars are saved?", rest / 2 if rest % 2 else rest // 2
    )


PROBLEMS: Final[tuple[Callable[[Random], Problem], ...]] = (
    _gift, _boxes, _train, _shopping, _change, _sale, _reading, _left_over, _ages, _average, _garden, _fence, _tank,
    _class, _wages, _recipe, _temperature, _clock, _outfits, _interest, _paint, _walk, _seats, _doubling, _budget,
)  # fmt: skip
