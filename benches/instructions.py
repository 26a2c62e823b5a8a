#!/usr/bin/env python3
"""Instructions per packet-hop of the workloads of `mptcpsim bench`.

Time on a shared machine is noise; instruction counts are not. Each workload
runs twice under valgrind, for a short and for a longer virtual time, and the
difference in instructions is divided by the difference in packet-hops: what
start-up and the end cost drops out.

usage: benches/instructions.py [--program PATH] [WORKLOAD...]
"""

import argparse
import json
import re
import subprocess

# Virtual times: long enough to be past slow start, short enough for valgrind.
TIMES = {
    "W1": ("1 s", "2 s"),
    "W2": ("4 s", "8 s"),
    "W4": ("0.1 s", "0.2 s"),
}


def measure(program: str, workload: str, duration: str) -> tuple[int, int]:
    """Packet-hops and instructions of one run."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program]
    command += ["bench", workload, "--duration", duration, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if collected is None:
        raise SystemExit(f"valgrind reported no count:\n{done.stderr}")
    hops = sum(row["packet_hops"] for row in json.loads(done.stdout))
    return hops, int(collected.group(1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="target/release/mptcpsim")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", default=list(TIMES))
    arguments = parser.parse_args()
    print(f"{'workload':10}{'packet-hops':>14}{'instructions per packet-hop':>30}")
    for workload in arguments.workloads:
        short, long = (measure(arguments.program, workload, time) for time in TIMES[workload])
        hops = long[0] - short[0]
        print(f"{workload:10}{hops:>14}{(long[1] - short[1]) / hops:>30.0f}", flush=True)


if __name__ == "__main__":
    main()
