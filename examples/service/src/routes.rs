//! What can be asked of the service: `POST /decode`, `GET /health`, `GET /metrics`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Bytes, HttpBody};
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::decoders::{Decoders, Failure};
use crate::metrics::{self, Counts};

/// The largest file.
const LARGEST: usize = 4 << 20;

/// How long a file may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);

/// What the routes work with.
pub(crate) struct Service {
    pub(crate) decoders: Decoders,
    /// Of `/decode`, by status.
    pub(crate) answers: Counts,
}

pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/decode", post(decode))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(service)
}

async fn decode(State(service): State<Arc<Service>>, request: Request) -> Response {
    let response = answer(&service, request).await;
    service.answers.count(response.status().as_str());
    response
}

async fn answer(service: &Service, request: Request) -> Response {
    // Before a client sends what is refused.
    if request.body().size_hint().lower() > LARGEST as u64 {
        return text(StatusCode::PAYLOAD_TOO_LARGE, "the file is too large");
    }
    let arrived = tokio::time::timeout(ARRIVAL, Bytes::from_request(request, &())).await;
    match arrived {
        Err(_) => text(StatusCode::REQUEST_TIMEOUT, "the file did not arrive in time"),
        Ok(Err(rejection)) => rejection.into_response(),
        Ok(Ok(file)) => match service.decoders.decode(file.into()).await {
            Ok(summary) => json(&summary),
            Err(failure) => refusal(&failure),
        },
    }
}

/// Well as long as there is a decoder, which is what a load balancer wants to know.
async fn health(State(service): State<Arc<Service>>) -> Response {
    let (up, all) = (service.decoders.up(), service.decoders.pool().len());
    let status = if up > 0 { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    text(status, &format!("{up} of {all} decoders are up"))
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let text = move || metrics::text(&service.decoders, &service.answers);
    match tokio::task::spawn_blocking(text).await {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn refusal(failure: &Failure) -> Response {
    let status = match failure {
        Failure::Refused(_) | Failure::Killed(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Failure::Late => StatusCode::GATEWAY_TIMEOUT,
        Failure::Busy | Failure::Lost(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let answer = text(status, &failure.to_string());
    match status {
        StatusCode::SERVICE_UNAVAILABLE => ([(RETRY_AFTER, "1")], answer).into_response(),
        _ => answer,
    }
}

fn text(status: StatusCode, text: &str) -> Response {
    (status, format!("{text}\n")).into_response()
}

fn json(value: &impl serde::Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json + "\n").into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
