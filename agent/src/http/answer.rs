//! Answers: JSON whatever happens, and never kept by anybody on the way.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;

/// After so many seconds what could not be done now is worth another try.
pub(super) const RETRY_S: u32 = 2;

/// Who has sent too many wrong tokens is not listened to for so many seconds.
pub(super) const SHUT_OUT_S: u32 = 60;

/// Why a request was not done: what, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    #[serde(skip)]
    pub(super) status: StatusCode,
    /// What is wrong.
    pub(super) error: String,
    /// Where in the body, as a JSON pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Problem {
        Problem {
            status,
            error: error.into(),
            at: None,
            hint: None,
        }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Problem {
        Problem {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// The engine cannot answer, or take anything, now.
    pub(super) fn busy(error: &str) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, error)
            .hint(format!("try again in {RETRY_S} s"))
    }
}

impl axum::response::IntoResponse for Problem {
    fn into_response(self) -> Response {
        let json = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = json_of(self.status, json);
        let headers = response.headers_mut();
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_S));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(SHUT_OUT_S));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}

/// JSON as it is.
pub(super) fn json(content: Bytes) -> Response {
    json_of(StatusCode::OK, content)
}

pub(super) fn json_of(status: StatusCode, content: impl Into<Body>) -> Response {
    of_type(status, "application/json", content)
}

/// A line of text, for people and load balancers.
pub(super) fn text(status: StatusCode, line: impl Into<Body>) -> Response {
    of_type(status, "text/plain; charset=utf-8", line)
}

fn of_type(status: StatusCode, kind: &'static str, content: impl Into<Body>) -> Response {
    let mut response = Response::new(content.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}
