#!/usr/bin/env python3
"""Pools and queues of phalanx beside those of Python, in one run: `runtime/benches/beside_python.py`.

The two take turns for some rounds, and the medians are compared. mpire and loky take part where they are installed.
"""
import multiprocessing
import statistics
import subprocess
import sys
import time

ROUNDS = 5


def increment(n):
    return n + 1


def produce(queue, count):
    for number in range(count):
        queue.put(number)


def rate(count, act):
    start = time.perf_counter()
    act()
    return count / (time.perf_counter() - start)


def python_rows():
    rows = {}
    with multiprocessing.Pool(2) as pool:
        pool.map(increment, range(1000))
        rows["Pool(2).imap, chunk of 1"] = rate(20_000, lambda: sum(1 for _ in pool.imap(increment, range(20_000))))
        rows["Pool(2).map, default chunk"] = rate(1_000_000, lambda: pool.map(increment, range(1_000_000)))
        times = []
        for _ in range(2_000):
            start = time.perf_counter()
            pool.apply(increment, (1,))
            times.append(time.perf_counter() - start)
        rows["Pool(2).apply, latency (us)"] = statistics.median(times) * 1e6
    queue = multiprocessing.Queue(1000)
    start = time.perf_counter()
    producer = multiprocessing.Process(target=produce, args=(queue, 20_000))
    producer.start()
    for _ in range(20_000):
        queue.get()
    rows["Queue, one producer, one consumer"] = 20_000 / (time.perf_counter() - start)
    producer.join()
    rows.update(others())
    return rows


def others():
    rows = {}
    try:
        from mpire import WorkerPool

        with WorkerPool(2) as pool:
            pool.map(increment, range(1000))
            rows["mpire WorkerPool(2).map, chunk of 1"] = rate(
                20_000, lambda: pool.map(increment, range(20_000), chunk_size=1)
            )
    except ImportError:
        pass
    try:
        import loky

        executor = loky.get_reusable_executor(2)
        list(executor.map(increment, range(1000)))
        rows["loky(2).map, chunk of 1"] = rate(20_000, lambda: list(executor.map(increment, range(20_000))))
    except ImportError:
        pass
    return rows


def phalanx_rows(command):
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [line.split("\t") for line in said.splitlines() if line.count("\t") == 2]
    return {f"{what} ({unit})": float(value) for what, value, unit in lines}


def main():
    command = ["cargo", "bench", "-q", "-p", "phalanx", "--bench", "beside"]
    subprocess.run([*command, "--no-run"], check=True)
    found = {"phalanx": [], "python": []}
    for _ in range(ROUNDS):
        found["phalanx"].append(phalanx_rows(command))
        found["python"].append(python_rows())
    for who, rounds in found.items():
        for row in rounds[0]:
            values = sorted(values[row] for values in rounds)
            print(f"{who:8} {row:50} {statistics.median(values):14,.1f}  ({values[0]:,.1f} to {values[-1]:,.1f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
