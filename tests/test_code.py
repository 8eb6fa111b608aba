"""Which files a file runs, on a small package written here."""

from pathlib import Path

import pytest

from rnn_study.running.run import code


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {
        "pack/__init__.py": "",
        "pack/a.py": "from . import b\nimport numpy\n",
        "pack/b.py": "from .sub import thing\n\ndef f():\n    from . import later\n    import_module('pack.chosen')\n",
        "pack/later.py": "",
        "pack/chosen.py": "",
        "pack/unused.py": "",
        "pack/sub/__init__.py": "from . import inner\n",
        "pack/sub/inner.py": "import pack.c as c\n",
        "pack/c.py": "from pack import a\n",  # a circle
        "pack/deep/__init__.py": "",
        "pack/deep/er/__init__.py": "from ... import b\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(code, "SRC", tmp_path)
    monkeypatch.setattr(code, "PACKAGE", "pack")
    return tmp_path


def names(package: Path, *roots: str) -> set[str]:
    return {p.relative_to(package).as_posix() for p in code.closure(*(package / root for root in roots))}


def test_what_is_imported_directly_or_not(package):
    own = ("__init__", "a", "b", "c", "later", "sub/__init__", "sub/inner")
    core = {f"pack/{name}.py" for name in own}
    assert names(package, "pack/a.py") == core
    assert names(package, "pack/a.py", "pack/chosen.py") == core | {"pack/chosen.py"}
    (package / "script.py").write_text("from pack.deep.er import x\n")
    assert names(package, "script.py") == core | {"script.py", "pack/deep/__init__.py", "pack/deep/er/__init__.py"}


BASE = '"""A module."""\n\nLIMIT = 3\n\n\ndef f(x):\n    """Twice."""\n    return 2 * x\n'


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("LIMIT = 3", "LIMIT = 3  # at most", True),
        ('"""Twice."""', '"""Two times."""', True),
        ('    """Twice."""\n', "", True),
        ('"""A module."""\n', "", True),
        ("return 2 * x", "return (\n        2\n        * x\n    )", True),
        ("LIMIT = 3", "LIMIT = 4", False),
        ("2 * x", "x * 2", False),
        ("def f", "def g", False),
        ("LIMIT = 3", "LIMIT = '3'", False),
    ],
)
def test_what_a_file_does(tmp_path, old, new, same):
    assert BASE.count(old) == 1
    before, after = tmp_path / "before.py", tmp_path / "after.py"
    before.write_text(BASE)
    after.write_text(BASE.replace(old, new))
    assert (code.does(before) == code.does(after)) == same


def test_a_docstring_alone_does_nothing(tmp_path):
    (tmp_path / "__init__.py").write_text('"""A room."""\n')
    assert code.does(tmp_path / "__init__.py") == ""
