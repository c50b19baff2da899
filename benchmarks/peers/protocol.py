"""The line protocol that every Python peer speaks with benchmarks/peers/peer.ts.

{"hello": true, "threads": n, "device": d, "precision": p} -> {"version": text}
{"prepare": {"case" | "job", "mode", "fresh", "result": file}} -> {} and the result in the file, or {"unsupported": why};
                                            "fresh" forgets what was prepared before
{"run": calls, "mode": mode}             -> {"seconds": s}
"""
import itertools
import json
import signal
import sys
import time
import traceback

import numpy as np


class Unsupported(Exception):
    """The peer has no way to run a case; the message says why."""


def read_safetensors(path):
    """name -> array, from a safetensors file."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    types = {"F32": np.float32, "F64": np.float64, "I32": np.int32, "U8": np.uint8, "BOOL": np.bool_}
    out = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            out[name] = np.frombuffer(data[start:end], types[entry["dtype"]]).reshape(entry["shape"]).copy()
    return out


def time_calls(call, args, calls, finish=None):
    """Seconds that many calls take; the loop itself costs some 20 ns a call. `finish` waits for what they began."""
    if finish is not None:
        finish()
    start = time.perf_counter()
    for _ in itertools.repeat(None, calls):
        call(*args)
    if finish is not None:
        finish()
    return time.perf_counter() - start


def serve(hello, prepare):
    """hello(request) -> version; prepare(request) -> (run(calls) -> seconds, result as float64 array)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out, sys.stdout = sys.stdout, sys.stderr  # what a library prints must not get into the answers
    runs = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "hello" in request:
                answer = {"version": hello(request)}
            elif "prepare" in request:
                asked = request["prepare"]
                if asked["fresh"]:
                    runs.clear()
                runs[asked["mode"]], result = prepare(asked)
                np.asarray(result, dtype=np.float64).tofile(asked["result"])
                answer = {}
            else:
                answer = {"seconds": runs[request["mode"]](request["run"])}
        except Unsupported as why:
            answer = {"unsupported": str(why)}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        print(json.dumps(answer), file=out, flush=True)
