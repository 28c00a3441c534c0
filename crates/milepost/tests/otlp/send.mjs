// A program that is instrumented with the OpenTelemetry SDK: it sends what it did over HTTP and gRPC, each batch twice.

import { SpanKind, SpanStatusCode, context, trace } from "@opentelemetry/api";
import { OTLPLogExporter as GrpcLogs } from "@opentelemetry/exporter-logs-otlp-grpc";
import { OTLPLogExporter as JsonLogs } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPLogExporter as ProtoLogs } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPMetricExporter as GrpcMetrics } from "@opentelemetry/exporter-metrics-otlp-grpc";
import { OTLPMetricExporter as JsonMetrics } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPMetricExporter as ProtoMetrics } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter as GrpcSpans } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as JsonSpans } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtoSpans } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";

const REQUESTS = 20;
const FAILURES = 3;

function spans(name, resource) {
  const kept = new InMemorySpanExporter();
  const provider = new NodeTracerProvider({ resource, spanProcessors: [new SimpleSpanProcessor(kept)] });
  const tracer = provider.getTracer("shop");
  for (let number = 0; number < REQUESTS; number++) {
    const attributes = { "session.id": `${name}-1`, "enduser.id": "rose@example.org" };
    const span = tracer.startSpan(`search-${name}`, { kind: SpanKind.SERVER, attributes });
    tracer.startSpan("ask the index", { kind: SpanKind.CLIENT }, trace.setSpan(context.active(), span)).end();
    if (number < FAILURES) {
      span.recordException(new Error("connect ECONNREFUSED: Connection refused"));
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
  }
  return kept.getFinishedSpans();
}

class Reader extends MetricReader {
  async onForceFlush() {}
  async onShutdown() {}
}

async function metrics(resource) {
  const reader = new Reader();
  const meter = new MeterProvider({ resource, readers: [reader] }).getMeter("shop");
  meter.createUpDownCounter("process.memory.usage", { unit: "By" }).add(50_000_000);
  meter.createCounter("requests").add(1);
  return (await reader.collect()).resourceMetrics;
}

function logs(name, resource) {
  const kept = new InMemoryLogRecordExporter();
  const logger = new LoggerProvider({ resource, processors: [new SimpleLogRecordProcessor({ exporter: kept })] }).getLogger("shop");
  let timestamp = Date.now();
  const emit = (eventName, attributes) => logger.emit({ eventName, attributes, timestamp: timestamp++ });
  emit("session.start", { "session.id": `${name}-1` });
  for (const variant of ["on", "off", "on"]) {
    const flag = { "feature_flag.key": "assistant", "feature_flag.result.variant": variant };
    emit("feature_flag.evaluation", { ...flag, "feature_flag.context.id": "rose" });
  }
  emit("something.else", {});
  return kept.getFinishedLogRecords();
}

const [http, grpc] = process.argv.slice(2);
const over = [
  ["node-json", "none", [JsonSpans, JsonMetrics, JsonLogs]],
  ["node-json-gzip", "gzip", [JsonSpans, JsonMetrics, JsonLogs]],
  ["node-proto", "gzip", [ProtoSpans, ProtoMetrics, ProtoLogs]],
  ["node-grpc", "gzip", [GrpcSpans, GrpcMetrics, GrpcLogs]],
];
for (const [name, compression, exporters] of over) {
  const resource = resourceFromAttributes({ "service.name": name, "service.version": "1.4.0", "service.instance.id": name });
  const batches = [spans(name, resource), await metrics(resource), logs(name, resource)];
  const urls = name === "node-grpc" ? [grpc, grpc, grpc] : ["traces", "metrics", "logs"].map((signal) => `${http}/v1/${signal}`);
  const made = exporters.map((Exporter, index) => new Exporter({ url: urls[index], compression }));
  for (let time = 0; time < 2; time++) {
    for (const [index, exporter] of made.entries()) {
      const result = await new Promise((resolve) => exporter.export(batches[index], resolve));
      if (result.code !== 0) throw new Error(`${name}: ${result.error}`);
    }
  }
  for (const exporter of made) await exporter.shutdown();
}
