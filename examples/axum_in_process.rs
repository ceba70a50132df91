//! One axum app in either hosting model.
//!
//! `cargo run --example axum_in_process --features axum,front,serve` runs it in the process of its front; with
//! `-- out-of-process` behind it, in a process of its own. Then `curl http://127.0.0.1:8080/shop/cart`.

use std::{convert::Infallible, env, error::Error};

use ancm::{
    Host, PathBase,
    app::{ClientAddress, ModuleEnvironment},
    config::Config,
    front::Front,
};
use axum::{Router, routing::get};

/// The app, which does not know in which model it runs.
pub(crate) fn routes() -> Router {
    let cart = |ClientAddress(client): ClientAddress, base: PathBase| async move {
        format!("The cart of {}, at {}\n", client.ip(), base.join("/cart"))
    };
    Router::new().route("/cart", get(cart))
}

/// The app behind the module: the one line in which the models differ.
pub(crate) fn host(config: Config, in_process: bool) -> std::io::Result<Host> {
    match in_process {
        true => Host::in_process(config, |_| async { Ok::<_, Infallible>(routes()) }),
        false => Host::new(config),
    }
}

/// The app of this very program, mounted at `/shop`.
pub(crate) fn config() -> Result<Config, Box<dyn Error>> {
    let config = Config::builder(env::current_dir()?)
        .program(env::current_exe()?)
        .path_base("/shop".parse()?);
    Ok(config.build()?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // What the module starts is the app; what a person starts is the module.
    if ModuleEnvironment::from_env()?.is_some() {
        return Ok(ancm::app::serve(routes()).await?);
    }
    tracing_subscriber::fmt::init();
    let in_process = env::args().nth(1).as_deref() != Some("out-of-process");
    let host = host(config()?, in_process)?;
    let app = host.clone();
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    Front::new()
        .extended_connect(true)
        .bind(&["127.0.0.1:8080".parse()?])?
        .serve(move |connection| app.for_connection(connection), stop)
        .await?;
    host.shutdown().await;
    Ok(())
}
