"""Text -> tokens, spelled as the GloVe vectors spell them: Penn contractions, special words in brackets.

A literal "[URL]" in a text is split at its brackets, so a text cannot forge a special word.
"""

import re

# What stands for a whole class of strings. [UNK] is for words without a vector; `tokenise` never returns it.
SPECIALS = (
    *("[URL]", "[USER]", "[NUM]", "[HASHTAG]", "[ELONG]"),
    *("[SMILE]", "[LOL]", "[SAD]", "[NEUTRAL]", "[HEART]", "[UNK]"),
)

# The first alternative that fits at a place wins and is used up, and none can scan far ahead and then fail
# again and again: the time is linear in the text.
_EYES, _END = r"[:;=]['`^-]?", r"(?!\w)"
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
    | (?P<other>    '(?:s|m|re|ve|ll|d){_END} | \S )  # the 's of 90's and of @user's
    """,
    re.VERBOSE,
)
_ELONGATION = re.compile(r"([^\W\d_])\1{2,}")
_CONTRACTION = re.compile(r"(.+)(n't|'(?:s|m|re|ve|ll|d))")


def tokenise(text: str) -> list[str]:
    """Lower-cased tokens of `text`, none with white space in it; an empty text has none.

    "Sooo good, don't miss it @ann! http://x.y" -> so [ELONG] good , do n't miss it [USER] ! [URL]
    """
    tokens: list[str] = []
    for match in _TOKEN.finditer(text.lower().replace("’", "'")):
        kind = match.lastgroup
        if kind == "word":
            tokens += _word(match[0])
        elif kind == "dots":
            tokens.append("...")
        elif kind == "other":
            tokens.append(match[0])
        else:
            tokens.append(f"[{kind}]")
    return tokens


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
