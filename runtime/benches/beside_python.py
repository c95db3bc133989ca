#!/usr/bin/env python3
"""Pools and queues of phalanx beside those of Python, in one run.

    python3 runtime/benches/beside_python.py [--rounds N] [--binary PATH] [pools] [task] [queues]

All rivals take turns for some rounds (5 by default), and medians are compared, because only ratios from one
run mean anything. Without words all three parts are measured, in about two minutes. The script lets cargo
build the Rust side (`cargo bench -p phalanx --bench beside --no-run`), and learns its path from cargo;
`--binary` names one that has been built.

mpire and loky take part where they are installed, for instance by

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install mpire loky
    /tmp/peers/bin/python runtime/benches/beside_python.py

The exit code is 1, with a line that says why, if the Rust side is missing or fails.
"""
import argparse
import concurrent.futures
import importlib.metadata
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time

PARTS = ("pools", "task", "queues")
PHALANX = "phalanx"


def increment(n):
    return n + 1


def produce(queue, count):
    for number in range(count):
        queue.put(number)


def rate(count, act):
    start = time.perf_counter()
    act()
    return count / (time.perf_counter() - start)


def latency(times, act):
    """The median, in microseconds."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1e6


class Missing(Exception):
    """Something without which nothing can be compared."""


# Each of these measures one rival in one part: {(what, who): value}. Phalanx is compared with the first rival
# of each `what`.

ONE_BY_ONE = "trivial task, chunk of 1 (tasks/s)"
DEFAULT = "trivial task, default chunk (tasks/s)"
ONE_TASK = "one task, latency (us)"
QUEUE = "queue, one producer, one consumer (items/s)"


def stdlib_pools():
    with multiprocessing.Pool(2) as pool:
        pool.map(increment, range(1000))
        yield ONE_BY_ONE, "Pool.imap", rate(20_000, lambda: sum(1 for _ in pool.imap(increment, range(20_000))))
        yield ONE_BY_ONE, "Pool.map", rate(20_000, lambda: pool.map(increment, range(20_000), chunksize=1))
        yield DEFAULT, "Pool.map", rate(1_000_000, lambda: pool.map(increment, range(1_000_000)))
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        list(pool.map(increment, range(100)))
        yield ONE_BY_ONE, "ProcessPoolExecutor.map", rate(5_000, lambda: list(pool.map(increment, range(5_000))))


def stdlib_task():
    with multiprocessing.Pool(2) as pool:
        pool.map(increment, range(1000))
        yield ONE_TASK, "Pool.apply", latency(1_000, lambda: pool.apply(increment, (1,)))
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        list(pool.map(increment, range(100)))
        yield ONE_TASK, "ProcessPoolExecutor.submit", latency(1_000, lambda: pool.submit(increment, 1).result())


def stdlib_queues():
    yield QUEUE, "Queue", through(multiprocessing.Queue(1000), 20_000)
    with multiprocessing.Manager() as manager:
        yield QUEUE, "Manager().Queue", through(manager.Queue(1000), 5_000)


def through(queue, count):
    start = time.perf_counter()
    producer = multiprocessing.Process(target=produce, args=(queue, count))
    producer.start()
    for _ in range(count):
        queue.get()
    taken = time.perf_counter() - start
    producer.join()
    return count / taken


def mpire_pools():
    from mpire import WorkerPool

    with WorkerPool(2, start_method="fork", keep_alive=True) as pool:
        pool.map(increment, range(1000))
        yield ONE_BY_ONE, "mpire map", rate(5_000, lambda: pool.map(increment, range(5_000), chunk_size=1))
        yield DEFAULT, "mpire map", rate(100_000, lambda: pool.map(increment, range(100_000)))


def mpire_task():
    from mpire import WorkerPool

    with WorkerPool(2, start_method="fork", keep_alive=True) as pool:
        pool.map(increment, range(1000))
        yield ONE_TASK, "mpire apply", latency(300, lambda: pool.apply(increment, (1,)))


def loky_pools():
    import loky

    pool = loky.get_reusable_executor(2)
    list(pool.map(increment, range(100)))
    # Its default is a chunk of 1.
    yield ONE_BY_ONE, "loky map", rate(5_000, lambda: list(pool.map(increment, range(5_000))))


def loky_task():
    import loky

    pool = loky.get_reusable_executor(2)
    list(pool.map(increment, range(100)))
    yield ONE_TASK, "loky submit", latency(1_000, lambda: pool.submit(increment, 1).result())


RIVALS = {
    "pools": {"multiprocessing": stdlib_pools, "mpire": mpire_pools, "loky": loky_pools},
    "task": {"multiprocessing": stdlib_task, "mpire": mpire_task, "loky": loky_task},
    "queues": {"multiprocessing": stdlib_queues},
}

# Figures of the Rust side, by their names there: the part that they belong to, and the name in the report.
OURS = {
    "pool of 2, trivial task, chunk of 1": (ONE_BY_ONE, PHALANX),
    "pool of 2, trivial task, default chunk": (DEFAULT, PHALANX),
    "pool of 2, one task, latency": (ONE_TASK, PHALANX),
    "ask, latency": (ONE_TASK, "phalanx, a call of an actor"),
    "queue, one producer, one consumer": (QUEUE, PHALANX),
    "queue, the same, 100 items a call": (QUEUE, "phalanx, 100 items a call"),
}


def build():
    """Where the Rust side is, built if need be."""
    here = os.path.dirname(os.path.abspath(__file__))
    command = ["cargo", "bench", "-p", "phalanx", "--bench", "beside", "--no-run", "--message-format=json"]
    try:
        built = subprocess.run(command, cwd=here, stdout=subprocess.PIPE, text=True)
    except OSError as error:
        raise Missing(f"cargo cannot be run: {error}") from error
    if built.returncode != 0:
        raise Missing(f"`{' '.join(command)}` has failed with {built.returncode}")
    for line in built.stdout.splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("executable") and message["target"]["name"] == "beside":
            return message["executable"]
    raise Missing("cargo has built no executable for the benchmark `beside`")


def ours(binary, part):
    ran = subprocess.run([binary, "--bench", part], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if ran.returncode != 0:
        raise Missing(f"{binary} has failed with {ran.returncode}: {ran.stderr.strip()}")
    for line in ran.stdout.splitlines():
        what, value, _ = line.split("\t")
        yield *OURS[what], float(value)


def report(found):
    """Medians and spreads; how phalanx stands to each, where more than 1 is better for phalanx."""
    for what in dict.fromkeys(what for what, _ in found):
        print(f"\n{what}")
        own = statistics.median(found[what, PHALANX])
        for (row, who), values in found.items():
            if row != what:
                continue
            middle = statistics.median(values)
            digits = 0 if middle > 1000 else 1
            text = f"{middle:,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"
            ratio = middle / own if what == ONE_TASK else own / middle
            print(f"  {who:30} {text:40} " + ("" if who == PHALANX else f"phalanx x {ratio:.2f}"))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5, help="how often everything takes its turn (default: 5)")
    arguments.add_argument("--binary", help="the Rust side, if it has been built")
    arguments.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS) + " (default: all)")
    wanted = arguments.parse_args()
    unknown = [part for part in wanted.parts if part not in PARTS]
    if unknown or wanted.rounds < 1:
        arguments.error(f"there is no part {unknown[0]!r}" if unknown else "at least one round")

    binary = wanted.binary or build()
    if not os.access(binary, os.X_OK) or not os.path.isfile(binary):
        raise Missing(f"the Rust side of the benchmark is not at {binary}")
    installed = {"multiprocessing": platform.python_version()}
    for name in ("mpire", "loky"):
        try:
            importlib.import_module(name)
            installed[name] = importlib.metadata.version(name)
        except ImportError:
            print(f"{name} is not installed: skipped")
    print(", ".join(f"{name} {version}" for name, version in installed.items()))
    print(f"{len(os.sched_getaffinity(0))} cores, {wanted.rounds} rounds; medians (and their range)")

    found = {}
    for number in range(wanted.rounds):
        for part in wanted.parts or PARTS:
            turns = [lambda: ours(binary, part)]
            turns += [rival for name, rival in RIVALS[part].items() if name in installed]
            # Each is the first in some round.
            turns = turns[number % len(turns):] + turns[:number % len(turns)]
            for turn in turns:
                for what, who, value in turn():
                    found.setdefault((what, who), []).append(value)
    report(found)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Missing as missing:
        print(f"beside_python: {missing}", file=sys.stderr)
        sys.exit(1)
