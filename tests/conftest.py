"""What several test files share."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from shutil import which

import pytest
from filelock import FileLock

from rnn_study.running.execution.workers import Workers

# A git hook says by these which repository and index are meant: the user's, never that of a test.
for name in [name for name in os.environ if name.startswith("GIT_")]:
    del os.environ[name]

FRAMEWORK = {"pytorch": "torch", "tensorflow": "tensorflow"}
ROOT = Path(__file__).resolve().parents[1]


def needs(*modules: str) -> pytest.MarkDecorator:
    """Skip where one of `modules` is not installed."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Side by side (`make test`) one process begins with the pipeline, for which it makes the tiny study; by the time
    that tests which need no study are done, it is there for the others."""
    asking = {item.path for item in items if "study" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: 0 if item.path.name == "test_pipeline.py" else 1 + (item.path in asking))


# Small enough for a whole pipeline in a test: two seeds, two cells, an epoch or two.
TINY = """
study: quick
device: cpu
executor: local
seeds: [0, 1]
data: {mnist: embedded, tweets: embedded, glove: embedded, airline: embedded, vectors: glove.6B.50d}
tuning:
  searches: 2
  trials: 8
  round: 4
  seed: 1000
  learning_rate: {low: 0.001, high: 0.03}
  clip: {low: 0.25, high: 8.0}
  dropout: {low: 0.0, high: 0.4}
  depth: [1, 2]
  forget_bias: {low: 0.0, high: 2.0}
  prune: 1
  untuned: {learning_rate: 0.001, clip: null, dropout: 0.0, seeds: 2}
parity: {updates: 20, perturbed: 2, float32: {airline: [lstm]}, defaults: {airline: [lstm]}}
gradients: {framework: pytorch, examples: 3, checkpoints: [1]}
frontier:
  adding:
    framework: pytorch
    lengths: [4, 6]
    gpu_lengths: []
    prepare: {validation: 32, test: 16, seed: 0}
    network: {parameters: 100, units: null, depth: 1, finetune: false}
    width: 4
    training: {batch_size: 16, updates: 20, check: 10, learning_rate: 0.01, clip: 1.0, goal: 0.0408}
    seeds: [0, 1]
    cells: {vanilla: {}, ugrnn: {}}
    ablations:
      irnn: {of: [vanilla], activation: relu, recurrent: identity}
    controls: {of: [ugrnn], kinds: [frozen], seeds: 2}
    rates: {learning_rates: [0.01, 0.03], seeds: 2}
    generalise: {longest: 6, factors: [1, 3], seeds: 2}
  menu:
    framework: pytorch
    lengths: [6]
    gpu_lengths: []
    prepare: {validation: 32, test: 16, seed: 0}
    network: {parameters: 100, units: null, depth: 1, finetune: false}
    width: null
    training: {batch_size: 16, updates: 20, check: 10, learning_rate: 0.01, clip: 1.0, goal: 0.99}
    seeds: [0, 1]
    cells: {vanilla: {}, lstm: {}}
    ablations: {}
images:
  permuted_mnist:
    framework: pytorch
    lengths: [16]
    gpu_lengths: [64]
    prepare: {permutation: 3}
    network: {parameters: 100, units: null, depth: 1, finetune: false}
    width: null
    training: {batch_size: 128, updates: 20, learning_rate: 0.01, clip: 1.0, goal: 0.9}
    seeds: [0, 1]
    cells: {gru: {}}
    ablations: {}
problems:
  adding:
    prepare: {steps: 8, train: 128, validation: 48, test: 32, seed: 0}
    network: {parameters: 100, units: null, depth: 1, finetune: false}
    training: {batch_size: 64, epochs: 2, patience: 2, learning_rate: 0.01, clip: 1.0, goal: 0.04}
    seeds: [0, 1]
    cells: {vanilla: {}, lstm: {}, ugrnn: {}}
    ablations:
      unclipped: {of: [vanilla], clip_by: nothing}
      forget-0: {of: [lstm], forget_bias: 0.0}
      window: {of: [lstm], window: 3, clip_times: 1.0, seeds: 1}
    map: {of: vanilla-unclipped, learning_rates: [0.01], clips: [null, 1.0], seeds: 1}
  agreement:
    prepare: {distance: 12, train: 128, validation: 48, test: 32, inputs: 3, seed: 0}
    network: {parameters: 100, units: null, depth: 1, finetune: true}
    training: {batch_size: 64, epochs: 1, patience: 1, learning_rate: 0.01, clip: null, goal: 1.0}
    seeds: [0, 1]
    cells: {vanilla: {}, lstm: {}, ugrnn: {}}
    ablations: {}
    map: null
shapes:
  digits:
    prepare: {kind: digits, validation: 0.15, seed: 0}
    network: {parameters: 300, units: null, depth: 1, finetune: false}
    training: {batch_size: 128, epochs: 1, patience: 1, learning_rate: 0.01, clip: 1.0, last: false}
    tuning: null
    seeds: {pytorch: [0]}
    cells: {mlp: {cell: [], dense: [{units: null, activation: relu}]}}
  numbers:
    prepare: {kind: numbers, below: 300, train: 200, validation: 30, test: 40,
      longest: null, longer: 0, reversed: false, inputs: 4, seed: 0}
    network: {parameters: null, units: 4, depth: 1, finetune: true}
    training: {batch_size: 64, epochs: 1, patience: 1, learning_rate: 0.01, clip: 1.0, last: false}
    tuning: null
    seeds: {pytorch: [0], tensorflow: [0, 1]}
    cells: {gru-attention: {cell: gru, attention: true, dropout: 0.1}}
  airline_shifted:
    prepare: {kind: series, of: airline, window: 6, shifted: true, scale: train, validation: 0}
    network: {parameters: null, units: 4, depth: 1, finetune: false}
    training: {batch_size: 18, epochs: 1, patience: 1, learning_rate: 0.01, clip: null, last: true}
    tuning: null
    seeds: {pytorch: [0, 1]}
    cells: {vanilla: {}}
  characters:
    prepare: {kind: language, of: alice, unit: characters, symbols: 2000, vocabulary: 20,
      window: 10, held_out: 0.1, inputs: 4, seed: 0}
    network: {parameters: null, units: 4, depth: 1, finetune: true}
    training: {batch_size: 8, epochs: 1, patience: 1, learning_rate: 0.01, clip: 1.0, last: false}
    tuning: null
    seeds: {pytorch: [0]}
    cells: {gru: {}}
tasks:
  mnist_rows:
    prepare: {validation: 0.15, seed: 0}
    network: {parameters: 500, units: null, depth: 1, finetune: false}
    margin: 0.01
    training: {batch_size: 128, epochs: 2, patience: 2}
    tuning: {epochs: 1, examples: 128}
    cells: {vanilla: {}, lstm: {}}
  tweets:
    prepare: {validation: 0.15, test: 0.2, seed: 0, vocabulary: 400, max_tokens: 24}
    network: {parameters: 500, units: null, depth: 1, finetune: true}
    margin: 0.003
    training: {batch_size: 128, epochs: 1, patience: 2}
    tuning: {epochs: 1, examples: 128}
    cells: {vanilla: {}, lstm: {}}
  airline:
    prepare: {look_back: 12, logarithm: true, first_difference: true, seasonal_difference: true, validation: 12}
    network: {parameters: 100, units: null, depth: 1, finetune: false}
    margin: 1.0
    training: {batch_size: 8, epochs: 3, patience: 2}
    tuning: {epochs: 1, examples: 32}
    cells: {vanilla: {}, lstm: {}}
    controls: {of: [lstm], kinds: [frozen, one-step], seeds: 2}
questions:
  digits: {claim: An LSTM <reads> better,
    measure: score, of: mnist_rows, a: lstm, b: vanilla, smallest: 0.05}
  season: {claim: An LSTM beats persistence,
    measure: score, of: airline, a: lstm, b: last value (persistence), smallest: 5.0}
  reach: {claim: A UGRNN reaches further,
    measure: reach, of: adding, a: ugrnn, b: vanilla, lengths: [4, 6], smallest: 1.0}
  speed: {claim: An LSTM is faster,
    measure: speed, of: menu, a: lstm, b: vanilla, lengths: [6], smallest: 5.0}
  start: {claim: The error vanishes,
    measure: arrives, of: adding, a: vanilla, when: initial, than: less, share: 0.01, smallest: 2.0}
"""


class Project:
    """A checkout of the project that a test may change."""

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def fresh(cls, folder: Path) -> "Project":
        """The project's tracked and new files in `folder`, with tiny parameters, nothing run."""
        project = cls(folder)
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        for name in listed:
            if (ROOT / name).is_file() and name != "dvc.lock" and not name.startswith(("metrics/", "tuned/")):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        project.write("params.yaml", TINY)
        for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "a copy")):
            project.run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words)
        return project

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the one occurrence of `old` in a file."""
        text = (self.folder / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name}: {old!r} stands there {text.count(old)} times"
        self.write(name, text.replace(old, new))

    @contextmanager
    def put_back(self) -> Iterator[None]:
        """What the block does to the project's files is undone: it works on a copy in their place."""
        aside = self.folder.with_name(f"{self.folder.name}-aside")
        self.folder.rename(aside)
        shutil.copytree(aside, self.folder, symlinks=True)
        try:
            yield
        finally:
            shutil.rmtree(self.folder)
            aside.rename(self.folder)

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("RNN_STUDY_")}
        return inherited | {"PATH": path, "PYTHONPATH": str(self.folder / "src")}

    def run(self, *words: str, check: bool = True, **extra: str) -> subprocess.CompletedProcess:
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment | extra, capture_output=True, text=True, timeout=600
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def repro(self, *words: str) -> list[str]:
        """`dvc repro`: the stages that ran."""
        out = self.run("dvc", "repro", *words).stdout
        return [line.split("'")[1] for line in out.splitlines() if line.startswith("Running stage")]


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished tiny study, for tests that look at it. Those that change it say so and put it back. Processes side by
    side make one together and have a copy each, for a study that was moved is as good."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        project = Project.fresh(tmp_path_factory.mktemp("study"))
        project.repro()
        return project
    made = tmp_path_factory.getbasetemp().parent / "study"
    with FileLock(made.with_suffix(".lock")):
        if not made.exists():
            making = made.with_suffix(".making")
            shutil.rmtree(making, ignore_errors=True)  # of a process that failed
            making.mkdir()
            Project.fresh(making).repro()
            making.rename(made)
    own = tmp_path_factory.mktemp("study", numbered=False)
    shutil.copytree(made, own, symlinks=True, dirs_exist_ok=True)
    # As at the start of a stage: MLflow's addresses follow the folder.
    Project(own).run("python", "-c", "from rnn_study.running.tracking.connection import connect; connect('airline')")
    return Project(own)


@pytest.fixture
def changed(study: Project) -> Iterator[Project]:
    """The finished study, for a test that changes it."""
    with study.put_back():
        yield study


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh copy of the project, nothing run."""
    return Project.fresh(tmp_path)


def told_of(epoch: int, loss: float) -> dict[str, float]:
    """An epoch's row of a history, of the columns that are drawn."""
    return {"epoch": epoch, "train_loss": loss, "validation_loss": loss, "validation_score": 0.5, "gradient_norm": 1.0}


browser_needed = pytest.mark.skipif(
    not (which("chromium") and which("chromedriver") and importlib.util.find_spec("selenium")),
    reason="needs chromium, chromedriver and selenium",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """Headless Chromium that reaches nothing beyond this machine and notes what it asks for."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for switch in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "disable-dev-shm-usage",
        "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"user-data-dir={tmp_path_factory.mktemp('browser')}",
    ):
        options.add_argument(f"--{switch}")
    options.binary_location = which("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(which("chromedriver")))
    yield driver
    driver.quit()


def asked_for(browser, address: str, width: int) -> set[str]:
    """Open a page in a window of `width` pixels: what it asked for. It must say nothing to the console and fit in."""
    browser.get("about:blank")  # after the browser's own first page
    browser.get_log("browser")
    browser.get_log("performance")
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    browser.get(address)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width  # no sideways scrolling
    return requested(browser)


def requested(browser) -> set[str]:
    """What the browser asked for since this was last looked at."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    found = {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}
    return {url for url in found if not url.startswith(("data:", "chrome:"))}


@pytest.fixture(scope="session")
def pool():
    """The worker of a backend, by name, started when it is first asked for."""
    with ExitStack() as stack:

        @cache
        def start(backend):
            if importlib.util.find_spec(FRAMEWORK[backend]) is None:
                pytest.skip(f"{FRAMEWORK[backend]} is not installed")
            return stack.enter_context(Workers(backend, "test", 1))

        yield start


@pytest.fixture(scope="session")
def ask(pool):
    """Call a function of `probes` or `stock_worker` in a backend's worker, its name the first argument."""

    def call(function, backend, *arguments):
        return pool(backend).submit(function, backend, *arguments).result()

    return call
