"""A generated corpus in Sentiment140's format: tweets whose sentiment depends on the order of the words.

Every tweet is written by a small grammar for a wanted sentiment. Two thirds say it plainly; in the others
negation turns the words ("i don't think that the film my sister showed me was bad"), of a contrast the main
clause counts ("the film was bad but the trip was good"), of a change its end, and a bag of words cannot tell.
Three labels in a hundred are then turned, in both classes alike, so that no model can be right more often
than 97 %. None of the texts, names or dates is real.
"""

import csv
import io
import re
import zipfile
from pathlib import Path

import numpy as np

from rnn_study.data.tokens import tokenise
from rnn_study.support.files import atomic

from .raw import About

FILE = "trainingandtestdata.zip"
TRAINING = "training.1600000.processed.noemoticon.csv"
TWEETS = 4000
NOISE = 0.03  # share of the labels that are turned
LABELLED, UNLABELLED = 140, 141  # seeds of the tweets, and of others like them that the vectors are made from
_SHORTEST, _LONGEST = 4, 24  # tokens
ABOUT = About(
    title="Generated tweets",
    note=f"{TWEETS:,} tweets written by a grammar, not real tweets; {NOISE:.0%} of the labels are turned",
    licence="MIT, as this project",
    citation="this project, src/rnn_study/data/sources/corpus.py",
    generated=True,
)


def _words(text: str) -> list[str]:
    return text.split()


_ONSETS, _NUCLEI, _CODAS = (
    _words("b d f g k l m n p r s t v z br dr kl st"),
    "aeiou",
    ["n", "r", "l", "x", "sh"],
)
_NAMES = [
    first + vowel + second + _NUCLEI[(i + j) % 5] + _CODAS[(2 * i + j) % 5]
    for i, first in enumerate(_ONSETS)
    for j, (vowel, second) in enumerate(zip(_NUCLEI * 4, _ONSETS, strict=False))
]
# Symbols of the grammar. Where a list has two parts, the first is negative and the second positive.
# In a text {x=} is an x of the wanted sentiment, {x~} of the other, {x} of none.
_GRAMMAR: dict[str, list[str] | tuple[list[str], list[str]]] = {
    "tweet": [
        *["{plain=}{tail}"] * 54,
        *["{negated=}{tail}"] * 9,
        *["{clause~} but {clause=}{tail}", "{clause~} , but {clause=}{tail}"] * 3,
        *["although {clause~} , {clause=}{tail}", "{clause=} although {clause~}{tail}"] * 2,
        *["even if {clause~} , {clause=}{tail}", "{clause=} , even if {clause~}{tail}"],
        *["{change=}{tail}"] * 5,
    ],
    "clause": ["{plain=}", "{plain=}", "{negated=}"],
    "plain": [
        *["the {thing} {detail} {was} {very}{state=}", "the {thing} {was} {very}{state=}"] * 2,
        *["{name} {was} {very}{state=}", "i {feel=} the {thing} {detail}", "i {feel=} {name}"],
        *["we {feel=} this {thing} , so {adjective=}", "what a {adjective=} {thing} {name} {was}"],
        "{adjective=} {thing} at {place} {when}",
    ],
    "negated": [
        *["the {thing} {detail} {wasnt} {very}{state~}", "the {thing} {wasnt} {state~} at all"],
        *["i {dont} think that the {thing} {detail} {was} {very}{state~}", "{name} {wasnt} {very}{state~}"],
        *["nobody at {place} said the {thing} {was} {state~}", "i {dont} {feel~} the {thing} {detail}"],
        *["i never said that {name} {was} {very}{state~}", "you can't say that the {thing} {was} {state~}"],
        "no one i know would call {name} {adjective~}",
    ],
    "change": [
        *[
            "the {thing} {detail} went from {state~} to {state=}",
            "{name} turned {adjective=} , not {adjective~}",
        ],
        "i expected a {adjective~} {thing} and got a {adjective=} one",
        "{name} used to be {state~} , now {state=}",
        "first {state~} , then {state=} , that's {name}",
    ],
    "state": (
        [
            "{adjective=}",
            "{adjective=} and {adjective=}",
            "{adverb=} {adjective=}",
            "{adjective=} as {image=}",
        ],
    )
    * 2,
    "adjective": (
        _words("bad awful boring sad terrible slow broken ugly horrible cold rude dull noisy painful dirty"),
        _words("good great fun happy lovely fast perfect pretty awesome warm kind bright quiet sweet clean"),
    ),
    "adverb": (_words("miserably hopelessly badly"), _words("delightfully wonderfully nicely")),
    "image": (
        ["a headache", "a traffic jam", "a wet sock", "a tax bill"],
        ["a holiday", "a sunny day", "a birthday", "a hug"],
    ),
    "feel": (_words("hate dislike regret despise"), _words("love enjoy like adore")),
    "thing": _words(
        "film phone trip show game book song coffee weather lunch movie concert dinner train class photo "
        "update match album party laptop weekend beach breakfast camera bus team website lesson hotel cake "
        "garden shop radio meeting pizza festival bike museum battery course sofa bakery printer"
    ),
    "place": ["work", "school", "home", "the office", "the station", "the airport", "the gym", "{name}"],
    "when": ["today", "tonight", "yesterday", "2nite", "@{hour} again", "on monday", "in {number} days"],
    "hour": _words("7:30 9 10am 18:00 11:45"),
    "number": _words("2 3 5 12 40 100 1,000 3.5 2009"),
    "detail": [
        *[
            "my {kin} showed me {when}",
            "that {name} told us about",
            "we saw {when}",
            "from {place}",
            "{when}",
        ],
        *["i paid {number} dollars for", "you & {name} picked", "with the {number} {thing}s", "about {name}"],
    ],
    "kin": _words("sister brother mum dad boss friend teacher neighbour cousin"),
    "was": ["was", "was", "is", "looked", "seemed", "turned out"],
    "wasnt": ["wasn't", "was not", "isn't", "is not", "did not look", "didn't seem", "never was"],
    "dont": ["don't", "do not", "didn't", "did not", "can't"],
    "very": ["", "", "", "very ", "so ", "really ", "soooo ", "reallyyy ", "quite ", "too ", "sooooooo "],
    "tail": [
        *["", "", ".", "!", "!!!", "...", " :)", " :(", " :p", " <3", " :/", " {link}", " #{tag}", " {when}"],
        *[
            " #{name} {link}",
            " @{name}_{number}",
            " i'm at {place}",
            " it's {hour}",
            ' "{name}"',
            " we're here",
        ],
    ],
    "tag": _words("fail win monday music fridaynight news lol 2009"),
    "link": [
        "http://bit.ly/{name}",
        "http://www.{name}.com/{number}",
        "www.{name}.com",
        "https://t.co/{name}",
    ],
    "head": [
        "",
        "",
        "",
        "",
        "@{name} ",
        "@{name} @{name} ",
        "rt @{name}: ",
        "hey , ",
        "ok ",
        "hmmmm , ",
        "lol ",
    ],
    "name": _NAMES,
}
_SLOT = re.compile(r"\{([a-z]+)([=~]?)\}")


def generate(seed: int = LABELLED) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Texts, labels (N,) int64, half of them 1, and the sentiment (N,) it was written for; equal for one seed."""
    rng = np.random.default_rng(seed)
    meant = rng.permutation(np.arange(TWEETS) % 2)
    texts = [_tweet(rng, positive) for positive in meant.tolist()]
    labels = meant.copy()
    for sentiment in (0, 1):
        turned = rng.choice(np.flatnonzero(meant == sentiment), round(NOISE * TWEETS / 2), replace=False)
        labels[turned] = 1 - sentiment
    return texts, labels, meant


def _tweet(rng: np.random.Generator, positive: int) -> str:
    while not _SHORTEST <= len(tokenise(text := _expand(rng, "{head}{tweet=}", positive))) <= _LONGEST:
        pass
    return text


def _expand(rng: np.random.Generator, template: str, positive: int) -> str:
    def fill(slot: re.Match[str]) -> str:
        name, sign = slot.groups()
        sentiment = 1 - positive if sign == "~" else positive
        options = _GRAMMAR[name]
        if isinstance(options, tuple):
            options = options[sentiment]
        pick = rng.random()
        # Words after Zipf's law: rank k with probability log((k + 1) / k) / log(n + 1). The rest alike.
        zipf = name in ("name", "thing")
        index = int((len(options) + 1) ** pick) - 1 if zipf else int(len(options) * pick)
        return _expand(rng, options[index], sentiment)

    return _SLOT.sub(fill, template)


def write(folder: Path) -> None:
    """Write the corpus as Sentiment140's archive with its training file alone; the same bytes each time."""
    texts, labels, _ = generate()
    rows = io.StringIO()
    writer = csv.writer(rows, quoting=csv.QUOTE_ALL)
    for number, (text, positive) in enumerate(zip(texts, labels.tolist(), strict=True)):
        date = f"Mon Apr 06 {number // 3600:02}:{number // 60 % 60:02}:{number % 60:02} PDT 2009"
        user = f"{_NAMES[number % len(_NAMES)]}{number % 97}"
        entities = text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        writer.writerow([4 * positive, number, date, "NO_QUERY", user, entities])
    with atomic(folder / FILE) as file, zipfile.ZipFile(file, "w") as archive:
        member = zipfile.ZipInfo(TRAINING, date_time=(2009, 4, 6, 0, 0, 0))  # stored: zlib's versions differ
        archive.writestr(member, rows.getvalue().encode())
