//! The Windows user as an axum extractor.

use std::convert::Infallible;

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

use super::user::WindowsIdentity;

/// The Windows user; a request without one is refused. `Option<WindowsIdentity>` takes both.
impl<S: Sync> FromRequestParts<S> for WindowsIdentity {
    type Rejection = MissingWindowsUser;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingWindowsUser> {
        parts.extensions.get().cloned().ok_or(MissingWindowsUser)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for WindowsIdentity {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}

/// The front end did not authenticate a Windows user: 401, to which IIS adds its challenge.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MissingWindowsUser;

impl IntoResponse for MissingWindowsUser {
    fn into_response(self) -> Response {
        StatusCode::UNAUTHORIZED.into_response()
    }
}
