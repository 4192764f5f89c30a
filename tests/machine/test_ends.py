"""However processes end that have worked together, they end cleanly: in time, and with their own status."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import ends
import pytest
from ends import free_port
from small_run import FLAGS

pytestmark = [
    pytest.mark.cli,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads as Linux shows them"),
]

PAIR = os.environ | {
    "OMP_NUM_THREADS": "1", "WORLD_SIZE": "2", "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
}  # fmt: skip
"""The environment of two processes."""
ENDS = int(os.environ.get("ENDS", "10"))
"""Pairs in a row. Something that keeps a group shows in each of them; ask for 300 to see what is rarer."""

DIED = "error: another process of this run has died; start again"
"""What the first process says when the second is gone."""
WAYS = {
    "finished": [(0, ""), (0, "")],
    "refused": [(0, ""), (2, "error: there is no such thing")],
    "interrupted": [(128 + signal.SIGTERM, "stopped and saved"), (0, "")],
    "keyboard": [(128 + signal.SIGINT, "stopped and saved"), (0, "")],
    "failed": [(2, DIED), (1, "error: ArithmeticError: a mistake")],
    "failed_in_part": [(2, DIED), (1, "error: ArithmeticError: a mistake")],
    "gone": [(2, DIED), (-signal.SIGKILL, "")],
}
"""By rank: the exit status that `run_command` documents, and the last line."""


def ended(count: int, *ways: str) -> list[tuple[str, list[tuple[int | None, str]]]]:
    """How each pair ended: the way, and by rank the status and what was said."""
    words = [sys.executable, ends.__file__, str(count), *ways]
    done = subprocess.run(words, capture_output=True, text=True, env=PAIR)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def as_it_should(way: str, found: list[tuple[int | None, str]]) -> None:
    for rank, ((status, said), (right, last)) in enumerate(zip(found, WAYS[way], strict=True)):
        assert status == right, f"{way}, rank {rank}: {said}"
        assert not re.search("terminate called|destroy_process_group", said)
        lines = said.splitlines()
        if status != -signal.SIGKILL:
            lines.remove("0 threads of gloo")
        end = "".join(lines[-1:]).removeprefix("[rank1]: ")
        assert end == last or (status == 1 and end.startswith(f"{last};"))  # and where the log is
        assert len(lines) <= 1 or status == 1  # which is a mistake of ours, and has a traceback


@pytest.fixture(scope="module")
def each_way() -> dict[str, list[tuple[int | None, str]]]:
    return dict(ended(1, *WAYS))


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_every_way_out(each_way, way):
    as_it_should(way, each_way[way])


@pytest.mark.slow
def test_many_ends_in_a_row():
    found = ended(ENDS, "finished")
    assert len(found) == ENDS
    for way, pair in found:
        as_it_should(way, pair)


TRAIN = """
import sys
from ddpm_spec.terminal.console import run_command
from ddpm_spec.training.commands import train
from ends import gloo_threads

status = run_command(train, sys.argv[1:])
print(gloo_threads(), "threads of gloo", file=sys.stderr)
sys.exit(status)
"""


@pytest.mark.slow
def test_a_training_leaves_no_thread_of_gloo(tmp_path):
    """Started as a launcher does: torch imports much of itself when the group is there already."""
    ranks = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    pair = [
        subprocess.Popen(
            [sys.executable, "-c", TRAIN, *FLAGS], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
            env=PAIR | ranks | {"RANK": rank, "LOCAL_RANK": rank},
        )
        for rank in "01"
    ]  # fmt: skip
    for process in pair:
        said = process.communicate(timeout=600)[1]
        assert process.returncode == 0, said
        assert said.splitlines()[-1] == "0 threads of gloo"
