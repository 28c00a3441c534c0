"""What recording one event costs, beside one span of OpenTelemetry: `python python/bench.py`.

The span goes through the simple processor to an exporter that writes its JSON to a file: like an event of Milepost, it is out of
the process when the call returns. Without the package `opentelemetry-sdk` that row is left out.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))
import milepost  # noqa: E402

ROUNDS, EACH = 9, 5000


def one(work: Callable[[], None]) -> float:
    start = time.perf_counter_ns()
    for _ in range(EACH):
        work()
    return (time.perf_counter_ns() - start) / EACH / 1000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        recorder = milepost.Recorder(os.path.join(folder, "data"))

        def operation() -> None:
            with recorder.operation("search", backend="native"):
                pass

        works = {"milepost: with operation(…)": operation, "milepost: measurement(…)": lambda: recorder.measurement("x.y", 1)}
        plain = os.open(os.path.join(folder, "plain"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        works["os.write of 300 bytes"] = lambda: (os.write(plain, b"x" * 300), None)[1]
        try:
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
        except ImportError:
            print("opentelemetry-sdk is not installed: no span beside it", file=sys.stderr)
        else:
            file = open(os.path.join(folder, "spans"), "w")
            provider = TracerProvider()
            exporter = ConsoleSpanExporter(out=file, formatter=lambda span: json.dumps(json.loads(span.to_json())) + "\n")
            provider.add_span_processor(SimpleSpanProcessor(exporter))
            tracer = provider.get_tracer("bench")

            def span() -> None:
                with tracer.start_as_current_span("search", attributes={"backend": "native"}):
                    pass

            works["OpenTelemetry: span to a file"] = span
        taken = {name: [] for name in works}
        for _ in range(ROUNDS):
            for name, work in works.items():
                taken[name].append(one(work))
        assert recorder.lost == 0, recorder.last_problem
        print(f"| one event, {ROUNDS} rounds of {EACH} in turn | median | least |\n|---|---:|---:|")
        for name, rounds in taken.items():
            print(f"| {name} | {statistics.median(rounds):.2f} µs | {min(rounds):.2f} µs |")


if __name__ == "__main__":
    main()
