"""What recording one event costs, beside one span of OpenTelemetry: `cargo xtask bench record`, or `python python/bench.py`.

The span goes through the simple processor to an exporter that does nothing, and to one that writes its JSON to a file: like an event of
Milepost, it is out of the process when the call returns. Without the package `opentelemetry-sdk` these rows are left out.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

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

        works = {"Milepost: `with operation(…)`": operation, "Milepost: `measurement(…)`": lambda: recorder.measurement("x.y", 1)}
        plain = os.open(os.path.join(folder, "plain"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        works["`os.write` of 300 bytes, and no more"] = lambda: (os.write(plain, b"x" * 300), None)[1]
        try:
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor, SpanExporter, SpanExportResult
        except ImportError:
            print("opentelemetry-sdk is not installed: no span beside it", file=sys.stderr)
        else:

            class Nowhere(SpanExporter):
                def export(self, spans: Any) -> SpanExportResult:
                    return SpanExportResult.SUCCESS

            file = open(os.path.join(folder, "spans"), "w")
            exporters = {
                "span exported nowhere": Nowhere(),
                "span written to a file": ConsoleSpanExporter(out=file, formatter=lambda span: span.to_json(indent=None) + "\n"),
            }
            for name, exporter in exporters.items():
                provider = TracerProvider()
                provider.add_span_processor(SimpleSpanProcessor(exporter))

                def span(tracer: Any = provider.get_tracer("bench")) -> None:
                    with tracer.start_as_current_span("search", attributes={"backend": "native"}):
                        pass

                works[f"OpenTelemetry, a {name}"] = span
        taken = {name: [] for name in works}
        for _ in range(ROUNDS):
            for name, work in works.items():
                taken[name].append(one(work))
        assert recorder.lost == 0, recorder.last_problem
        version = ".".join(map(str, sys.version_info[:3]))
        print(f"| one event, CPython {version} | median | fastest | slowest |\n|---|---:|---:|---:|")
        for name, rounds in taken.items():
            print(f"| {name} | {statistics.median(rounds):.2f} µs | {min(rounds):.2f} µs | {max(rounds):.2f} µs |")


if __name__ == "__main__":
    main()
