//! What a sender is told: all is well, some of it was rejected, or nothing was taken and why, in its own encoding.

use super::Signal;
use axum::{
    body::Bytes,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use serde_json::json;
use tonic::{Code, Status};

/// When a sender may come again, in seconds.
const RETRY_AFTER_S: u16 = 5;

/// How a body is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        })
    }
}

/// What of a request was rejected.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) rejected: u64,
    /// Why, by how many.
    pub(super) why: String,
}

impl Accepted {
    /// The message of success. The three signals differ in the names of its fields and not in their numbers, so in bytes they are one.
    pub(super) fn protobuf(&self) -> Vec<u8> {
        let partial_success = (self.rejected > 0).then(|| ExportTracePartialSuccess {
            rejected_spans: i64::try_from(self.rejected).unwrap_or(i64::MAX),
            error_message: self.why.clone(),
        });
        ExportTraceServiceResponse { partial_success }.encode_to_vec()
    }

    fn json(&self, signal: Signal) -> String {
        if self.rejected == 0 {
            return "{}".to_owned();
        }
        // In the JSON of Protobuf, a number of 64 bits is a text.
        json!({ "partialSuccess": { signal.rejected(): self.rejected.to_string(), "errorMessage": self.why } }).to_string()
    }

    pub(super) fn response(&self, signal: Signal, encoding: Encoding) -> Response {
        let body = match encoding {
            Encoding::Protobuf => self.protobuf(),
            Encoding::Json => self.json(signal).into_bytes(),
        };
        ([(header::CONTENT_TYPE, encoding.content_type())], body).into_response()
    }
}

/// Why nothing of a request was taken, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Recording is off by this variable of the environment.
    Off(&'static str),
    /// A content type that is not OTLP.
    ContentType,
    /// A content encoding other than gzip.
    ContentEncoding,
    /// More than is taken: what, and how much that is.
    TooLarge(String),
    /// It cannot be decoded.
    Malformed(String),
    /// It took too long to arrive.
    Slow,
    /// There is too much on its way.
    Busy,
    /// It comes in faster than it can be stored.
    Full,
    /// It could not be written down, and what the system said of it.
    Unwritten(String),
}

impl Refusal {
    /// What the sender is told. Paths of this machine are not among it.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Off(variable) => format!("nothing is recorded here: {variable} is set"),
            Self::ContentType => "the content type has to be application/x-protobuf or application/json".to_owned(),
            Self::ContentEncoding => "the content encoding has to be gzip or identity".to_owned(),
            Self::TooLarge(what) => what.clone(),
            Self::Malformed(what) => format!("this cannot be decoded: {what}"),
            Self::Slow => "the request took too long to arrive".to_owned(),
            Self::Busy => "too much is on its way already; come again later".to_owned(),
            Self::Full => "more came in than could be stored so far; come again later".to_owned(),
            Self::Unwritten(_) => "it could not be written to the disk of the receiver; `milepost doctor` there says why".to_owned(),
        }
    }

    const fn http(&self) -> StatusCode {
        match self {
            Self::Off(_) => StatusCode::FORBIDDEN,
            Self::ContentType | Self::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Busy | Self::Full => StatusCode::TOO_MANY_REQUESTS,
            Self::Unwritten(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Of the codes of gRPC, senders try again after RESOURCE_EXHAUSTED with a time and UNAVAILABLE; some do without a time too, so what
    /// is too large is INVALID_ARGUMENT: it will not become smaller.
    const fn grpc(&self) -> Code {
        match self {
            Self::Off(_) => Code::PermissionDenied,
            Self::ContentType | Self::ContentEncoding => Code::Unimplemented,
            Self::TooLarge(_) | Self::Malformed(_) => Code::InvalidArgument,
            Self::Slow => Code::DeadlineExceeded,
            Self::Busy | Self::Full => Code::ResourceExhausted,
            Self::Unwritten(_) => Code::Unavailable,
        }
    }

    const fn may_come_again(&self) -> bool {
        matches!(self, Self::Busy | Self::Full | Self::Unwritten(_))
    }

    pub(super) fn response(&self, encoding: Encoding) -> Response {
        let code = self.grpc();
        let body = match encoding {
            Encoding::Protobuf => RpcStatus { code: code as i32, message: self.message(), details: Vec::new() }.encode_to_vec(),
            Encoding::Json => json!({ "code": code as i32, "message": self.message() }).to_string().into_bytes(),
        };
        let mut response = (self.http(), [(header::CONTENT_TYPE, encoding.content_type())], body).into_response();
        let headers = response.headers_mut();
        if self.may_come_again() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        if *self == Self::ContentEncoding {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }

    pub(super) fn status(&self) -> Status {
        let (code, message) = (self.grpc(), self.message());
        if !self.may_come_again() {
            return Status::new(code, message);
        }
        let delay = RetryInfo { retry_delay: Some(Delay { seconds: RETRY_AFTER_S.into() }) };
        let any = Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(), value: delay.encode_to_vec() };
        let details = RpcStatus { code: code as i32, message: message.clone(), details: vec![any] }.encode_to_vec();
        Status::with_details(code, message, Bytes::from(details))
    }
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Any {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`, in whole seconds.
#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
}
