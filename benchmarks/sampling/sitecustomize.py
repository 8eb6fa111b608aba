"""Python imports this at its start where `breakdown.py` puts it in the way: a thread of every process then notes, fifty
times a second, what each other thread does and how much of a core it takes, in a file of the folder that BREAKDOWN
names."""

import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

INTERVAL = 0.02  # seconds between two notes
# A thread whose innermost frame lies here waits for another thread or process.
WAITING = (
    "/subprocess.py",
    "/selectors.py",
    "/threading.py",
    "/queue.py",
    "/multiprocessing/",
    "/concurrent/futures/",
    "/zmq/",
    "/support/stage.py",
    "/running/tracking/__init__.py",
)
# The innermost frame that lies in one of these places says what is being done.
PLACES = (
    ("imports", ("<frozen importlib",)),
    ("compiling", ("/eager/polymorphic_function/tracing_", "/tensorflow/python/framework/func_graph.py")),
    ("MLflow", ("/site-packages/mlflow/", "/site-packages/alembic/", "/running/tracking/")),
    ("Optuna", ("/site-packages/optuna/", "/running/tuning.py")),
    ("rendering", ("/rnn_study/reports/", "/site-packages/papermill/", "/site-packages/nbconvert/", "/ipykernel/")),
    ("diagnosing", ("/rnn_study/behaviour/",)),
    ("training", ("/running/run/train.py",)),
    ("statistics", ("/rnn_study/statistics/",)),
    ("data", ("/rnn_study/data/", "/rnn_study/config/")),
    ("DVC", ("/site-packages/dvc",)),
)


class Notes:
    def __init__(self, folder: str):
        self.path = Path(folder) / f"{os.getpid()}.csv"
        self.compiled: set[int] = set()  # TensorFlow's graphs that have run an epoch

    def kind(self, frame) -> str | None:
        """What a thread with this innermost frame does; None where it waits."""
        if any(part in frame.f_code.co_filename for part in WAITING):
            return None
        while frame is not None:
            place = frame.f_code.co_filename
            for kind, parts in PLACES:
                if any(part in place for part in parts):
                    return self._first(frame) if kind == "training" else kind
            frame = frame.f_back
        return "other"

    def _first(self, frame) -> str:
        """XLA compiles in the first epoch of a graph, where no Python shows it."""
        seen = frame.f_locals
        graph = getattr(seen.get("model"), "graph", None)
        if graph is None or seen.get("epoch", 0) > 1:
            self.compiled.add(id(graph))
        return "training" if id(graph) in self.compiled else "compiling"

    def watch(self) -> None:
        """Note of every thread what it does and the seconds of CPU that it has used since the last note. What the
        process used besides, in threads that no Python runs, is the work of threads that are in a call and used little
        themselves."""
        me, used, rows, written = threading.get_ident(), {}, [], time.time()
        before = time.process_time()
        while True:
            time.sleep(INTERVAL)
            now, whole = time.time(), time.process_time()
            frames, clocks = sys._current_frames(), {}
            for thread in frames:  # at once, while all of them are still there
                with suppress(OSError):
                    clocks[thread] = time.clock_gettime(time.pthread_getcpuclockid(thread))
            spent = {thread: max(0.0, clock - used.get(thread, 0.0)) for thread, clock in clocks.items()}
            kinds = {thread: self.kind(frames[thread]) for thread in clocks}
            used = clocks
            rest = max(0.0, whole - before - sum(spent.values()))
            before = whole
            calling = [t for t in spent if t != me and kinds[t] and spent[t] < INTERVAL / 2]
            for thread in calling:
                spent[thread] += rest / len(calling)
            for thread, seconds in spent.items():
                if thread != me and seconds > 0:
                    rows.append(f"{now:.3f},{kinds[thread] or 'other'},{seconds:.6f}\n")
            if now - written > 0.2:
                with self.path.open("a") as file:
                    file.writelines(rows)
                rows, written = [], now


def start() -> None:
    threading.Thread(target=Notes(os.environ["BREAKDOWN"]).watch, daemon=True).start()


if "BREAKDOWN" in os.environ:
    start()
    os.register_at_fork(after_in_child=start)  # workers are forked
