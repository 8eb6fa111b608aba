"""YAML files, whose faults are one clear line each, and what is wrong with what they hold."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic_core import ErrorDetails
from ruamel.yaml import YAML, YAMLError

from rnn_study.support.errors import StudyError


def read_yaml(path: Path) -> object:
    """The YAML 1.2 document in `path`; a syntax error or a repeated key is one line with its place."""
    try:
        # pure: libyaml, which DVC likes to have, says less of a fault
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(f"{path}: not found: expected a YAML file here") from None
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: byte {error.start}: expected UTF-8 text") from None
    except (ValueError, RecursionError):
        raise StudyError(f"{path}: a value that cannot be read (a date, a huge number?): expected plain YAML") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or "not readable"
        raise StudyError(f"{where}: {problem}: expected YAML, each key once") from None
    except OSError as error:
        raise StudyError(f"{path}: {error.strerror}: expected a YAML file here") from None


def _place(value: object, fault: ErrorDetails) -> Iterator[str]:
    """The keys that lead to a fault, without the tags that pydantic puts between those of a union."""
    *way, last = fault["loc"] or ("",)
    tagged = False  # a tag may be a key as well
    for part in way:
        if isinstance(value, dict) and (part not in value or (part == value.get("kind") and not tagged)):
            tagged = True
            continue
        if isinstance(value, list) and not isinstance(part, int):
            continue
        value, tagged = value[part], False
        yield str(part)
    if (fault["type"] == "missing" or last in value) if isinstance(value, dict) else isinstance(last, int):
        yield str(last)


_LONGEST = 200  # letters of a value in a line
_BOUNDS = {
    "greater_than": "expected more than {gt}",
    "greater_than_equal": "expected at least {ge}",
    "less_than": "expected less than {lt}",
    "less_than_equal": "expected at most {le}",
}


def _lower(text: str) -> str:
    return (text[:1].lower() + text[1:]).replace("input should be", "expected")


def _shown(value: object) -> str:
    """`value` as a line quotes it: of a long one the start."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _keys(key: str) -> str:
    """Where the keys beside `key` are shown."""
    return "docs/own-data.md" if key.count(".") == 2 and key.startswith("data.") else "studies/quick.yaml"


def told(value: object, faults: Sequence[ErrorDetails]) -> Iterator[str]:
    """What pydantic found wrong with `value`, a line each: `: key: got 3: expected ...`."""
    for fault in faults:
        key = ".".join(_place(value, fault))
        place = f": {key if key.isprintable() else repr(key)}" if key else ""
        got = _shown(fault["input"])
        if fault["type"] == "extra_forbidden":
            yield f"{place}: unknown key: expected the keys of {_keys(key)}"
        elif fault["type"] == "missing":
            yield f"{place}: missing: expected as in {_keys(key)}"
        elif fault["type"] == "too_short":
            yield f"{place}: got {got}: expected {fault['ctx']['min_length']} entry at least"
        elif fault["type"] == "value_error":
            for line in fault["msg"].removeprefix("Value error, ").splitlines():
                yield f"{place}: {_lower(line)}"
        else:
            expected = _BOUNDS.get(fault["type"], "").format(**fault.get("ctx", {}))
            yield f"{place}: got {got}: {expected or _lower(fault['msg'])}"
