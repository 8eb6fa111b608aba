"""Which files a file runs, on a small package written here."""

from pathlib import Path

import pytest

from rnn_study import closure


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {
        "pack/__init__.py": "",
        "pack/a.py": "from . import b\nimport numpy\n",
        "pack/b.py": "from .sub import thing\n\ndef late():\n    from . import chosen\n",
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
    monkeypatch.setattr(closure, "SRC", tmp_path)
    monkeypatch.setattr(closure, "PACKAGE", "pack")
    return tmp_path


def names(package: Path, *roots: str) -> set[str]:
    return {p.relative_to(package).as_posix() for p in closure.closure(*(package / root for root in roots))}


def test_what_is_imported_directly_or_not(package):
    core = {"pack/__init__.py", "pack/a.py", "pack/b.py", "pack/c.py", "pack/sub/__init__.py", "pack/sub/inner.py"}
    assert names(package, "pack/a.py") == core
    assert names(package, "pack/a.py", "pack/chosen.py") == core | {"pack/chosen.py"}
    (package / "script.py").write_text("from pack.deep.er import x\n")
    assert names(package, "script.py") == core | {"script.py", "pack/deep/__init__.py", "pack/deep/er/__init__.py"}
