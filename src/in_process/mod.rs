//! An app in this process: its requests reach it by a call.

mod service;

pub use self::service::Startup;
pub(crate) use self::service::{Factory, Run};
pub use crate::proxy::{Instance, RequestBody};
