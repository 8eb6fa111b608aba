"""Text -> tokens, spelled as the GloVe vectors spell them: Penn contractions, special words in brackets.

A literal "[URL]" in a text is split at its brackets, so a text cannot forge a special word.
"""

import re
import unicodedata
from functools import lru_cache
from html import unescape

# What stands for a whole class of strings. [UNK] is for words without a vector; `tokenise` never returns it.
SPECIALS = (
    *("[URL]", "[USER]", "[NUM]", "[HASHTAG]", "[ELONG]"),
    *("[SMILE]", "[LOL]", "[SAD]", "[NEUTRAL]", "[HEART]", "[UNK]"),
)

# The first alternative that fits at a place wins and is used up, and none can scan far ahead and then fail
# again and again: the time is linear in the text.
_EYES, _END = r"[:;=]['`^-]?", r"(?!\w)"
_PICTURE = "[\u2190-\u21ff\u2300-\u27bf\u2b00-\u2bff\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff]"
_TONE = "[\U0001f3fb-\U0001f3ff]"  # of a skin
_EMOJI = rf"{_PICTURE}{_TONE}?(?:\u200d{_PICTURE}{_TONE}?)*"  # several, joined, are one
_TOKEN = re.compile(
    rf"""
      (?P<URL>      (?:https?://|(?<!\w)www\.) \S* [^\s.,!?;:'"()\]] )
    | (?P<SMILE>    {_EYES} (?: [)\]]+ | d+{_END} ) | (?<!\w) (?: \(-?[:;=]{_END} | xd+{_END} ) )
    | (?P<LOL>      {_EYES} p+{_END} )
    | (?P<SAD>      {_EYES} [(\[]+ | (?<!\w) \)-?[:=]{_END} )
    | (?P<NEUTRAL>  {_EYES} [/\\|*] (?![/\w]) )
    | (?P<HEART>    <3+ (?!\d) )
    | (?P<USER>     (?<!\w) @\w+ )
    | (?P<HASHTAG>  \#(?=\w) )                        # the tag's word follows as a token of its own
    | (?P<word>     \d*+ [^\W\d] \w* (?:'\w+){{0,2}} ) # 2nite, don't, o'clock
    | (?P<NUM>      (?:(?<!\w)[-+])? \d+ (?:[.,:]\d+)* )
    | (?P<dots>     \.{{2,}} | … )
    | (?P<emoji>    [\U0001f1e6-\U0001f1ff]{{2}} | {_EMOJI} )  # two letters of this kind are a flag
    | \u200d
    | (?P<other>    '(?:s|m|re|ve|ll|d){_END} | \S )  # the 's of 90's and of @user's
    """,
    re.VERBOSE,
)
# What controls a device, has no width, or chooses how a character looks or runs.
_CONTROLS = (*range(0x9), *range(0xE, 0x20), 0x7F)
_UNSEEN = (0xAD, 0x200B, 0x200C, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0xFE00, 0xFE10), 0xFEFF)
_DROPPED = dict.fromkeys((*_CONTROLS, *_UNSEEN))
_LEFT_OUT = re.compile(f"[{re.escape(''.join(map(chr, _DROPPED)))}]")
# Windows' punctuation, where text was read as Latin-1.
_WINDOWS = {code: bytes([code]).decode("cp1252", "ignore") or None for code in range(0x80, 0xA0)}
_NEVER_SEEN = _DROPPED | _WINDOWS
_ESCAPED = 10  # times at most: nobody means more, and a text made to need one for every letter would never end
_TONES = dict.fromkeys(range(0x1F3FB, 0x1F400))
_ELONGATION = re.compile(r"([^\W\d_])\1{2,}")
_CONTRACTION = re.compile(r"(.+)(n't|'(?:s|m|re|ve|ll|d))")


def plain(text: str) -> str:
    """`text` as a person sees it: HTML's entities written out, however often they were escaped, letters composed,
    nothing invisible in it."""
    if text.isascii() and text.isprintable() and "&" not in text:  # as most are
        return text
    for _ in range(_ESCAPED):
        if (found := unescape(text)) == text:
            break
        text = found
    return unicodedata.normalize("NFC", text.translate(_NEVER_SEEN))


def is_shortened(text: str) -> bool:
    """Whether `plain` leaves characters of `text` out."""
    return _LEFT_OUT.search(text) is not None


def tokenise(text: str) -> list[str]:
    """Lower-cased tokens of `text`, none with white space in it; an empty text has none.

    "Sooo good, don't miss it @ann! http://x.y" -> so [ELONG] good , do n't miss it [USER] ! [URL]
    """
    tokens: list[str] = []
    for match in _TOKEN.finditer(plain(text).lower().replace("’", "'")):
        tokens += _spelled(match.lastgroup, match[0])
    return tokens


@lru_cache(1 << 16)  # few words make most of a text; and those that are equal are one object
def _spelled(kind: str | None, found: str) -> tuple[str, ...]:
    """The tokens of what an alternative of `_TOKEN` found."""
    match kind:
        case "word":
            return tuple(_word(found))
        case "dots":
            return ("...",)
        case "other":
            return (found,)
        case "emoji":
            return (found.translate(_TONES),)
        case None:  # a joiner that joins nothing
            return ()
    return (f"[{kind}]",)


def _word(word: str) -> list[str]:
    """couldn't've -> could n't 've; sooo -> so [ELONG] (one letter is left, as in GloVe's script)."""
    word, elongations = _ELONGATION.subn(r"\1", word)
    if word == "cannot":
        return ["can", "not"]
    tail = ["[ELONG]"] if elongations else []
    while "'" in word and (parts := _CONTRACTION.fullmatch(word)):
        word = parts[1]
        tail.insert(0, parts[2])
    return [word, *tail]
