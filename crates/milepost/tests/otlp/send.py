"""A program that is instrumented with the OpenTelemetry SDK: it sends what it did over HTTP and gRPC, each batch twice."""

import sys
import time

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode

REQUESTS, FAILURES = 20, 3


def spans(name, resource):
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("shop")
    for number in range(REQUESTS):
        attributes = {"session.id": f"{name}-1", "enduser.id": "rose@example.org"}
        with tracer.start_as_current_span(f"search-{name}", kind=SpanKind.SERVER, attributes=attributes) as span:
            with tracer.start_as_current_span("ask the index", kind=SpanKind.CLIENT):
                pass
            if number < FAILURES:
                span.record_exception(ConnectionError("Connection refused"))
                span.set_status(Status(StatusCode.ERROR))
    return kept.get_finished_spans()


def metrics(resource):
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader], resource=resource)
    meter = provider.get_meter("shop")
    meter.create_up_down_counter("process.memory.usage", unit="By").add(50_000_000)
    meter.create_counter("requests").add(1)
    return reader.get_metrics_data()


def logs(name, resource):
    kept = InMemoryLogRecordExporter()
    provider = LoggerProvider(resource=resource)
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    logger = provider.get_logger("shop")

    def emit(event, attributes):
        record = {"timestamp": time.time_ns(), "severity_number": SeverityNumber.INFO, "attributes": attributes}
        logger.emit(LogRecord(event_name=event, **record))

    emit("session.start", {"session.id": f"{name}-1"})
    for variant in ["on", "off", "on"]:
        flag = {"feature_flag.key": "assistant", "feature_flag.result.variant": variant}
        emit("feature_flag.evaluation", {**flag, "feature_flag.context.id": "rose"})
    emit("something.else", {})
    return kept.get_finished_logs()


def main():
    http, grpc = sys.argv[1:]
    for name, gzip, over_http in [("py-http", True, True), ("py-http-plain", False, True), ("py-grpc", True, False)]:
        resource = Resource.create({"service.name": name, "service.version": "1.4.0", "service.instance.id": name})
        if over_http:
            options = {"compression": Compression.Gzip if gzip else Compression.NoCompression}
            exporters = (
                HttpSpans(endpoint=f"{http}/v1/traces", **options),
                HttpMetrics(endpoint=f"{http}/v1/metrics", **options),
                HttpLogs(endpoint=f"{http}/v1/logs", **options),
            )
        else:
            exporters = tuple(exporter(endpoint=grpc, insecure=True) for exporter in (GrpcSpans, GrpcMetrics, GrpcLogs))
        batches = (spans(name, resource), metrics(resource), logs(name, resource))
        for _ in range(2):
            for exporter, batch in zip(exporters, batches):
                result = exporter.export(batch)
                if result.name != "SUCCESS":
                    sys.exit(f"{name}: {type(exporter).__name__}: {result}")
        for exporter in exporters:
            exporter.shutdown()


main()
