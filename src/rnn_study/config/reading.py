"""YAML files, whose faults are one clear line."""

from pathlib import Path

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
